<?php

/**
 * The functions of PHP that the runtime cannot do without. `disable_functions` does not disable them. It does disable those
 * that start programs and handle signals, without which a handler is no longer stopped before the timeout of the function.
 */

declare(strict_types=1);

namespace Lamella;

final class RequiredFunctions
{
    public const NAMES = [
        'array_change_key_case', 'array_column', 'array_combine', 'array_diff', 'array_diff_assoc', 'array_diff_key',
        'array_filter', 'array_flip', 'array_intersect', 'array_intersect_key', 'array_is_list', 'array_key_exists',
        'array_key_first', 'array_key_last', 'array_keys', 'array_map', 'array_merge', 'array_push', 'array_reverse',
        'array_slice', 'array_values', 'array_walk_recursive', 'base64_decode', 'base64_encode', 'basename',
        'bin2hex', 'chdir', 'chr', 'class_exists', 'clearstatcache', 'count', 'date_default_timezone_get',
        'date_default_timezone_set', 'dechex', 'dirname', 'end', 'error_clear_last', 'error_get_last', 'error_log',
        'explode', 'extension_loaded', 'fclose', 'feof', 'fgets', 'file', 'file_get_contents', 'file_put_contents',
        'filemtime', 'filesize', 'fmod', 'fopen', 'fread', 'function_exists', 'fwrite', 'get_debug_type',
        'get_defined_functions', 'get_object_vars', 'getcwd', 'getenv', 'getmypid', 'gettype', 'glob', 'gmdate',
        'header_register_callback', 'header_remove', 'headers_sent', 'hex2bin', 'hexdec', 'http_response_code',
        'implode', 'in_array', 'inet_ntop', 'inet_pton', 'ini_get', 'ini_get_all', 'ini_parse_quantity',
        'ini_restore', 'ini_set', 'intdiv', 'is_array', 'is_bool', 'is_callable', 'is_dir', 'is_executable',
        'is_file', 'is_finite', 'is_float', 'is_int', 'is_nan', 'is_object', 'is_resource', 'is_scalar', 'is_string',
        'is_subclass_of', 'iterator_to_array', 'json_decode', 'json_encode', 'key', 'libxml_clear_errors',
        'libxml_get_external_entity_loader', 'libxml_set_external_entity_loader', 'libxml_use_internal_errors',
        'ltrim', 'max', 'memory_get_usage', 'method_exists', 'microtime', 'min', 'mt_srand', 'ob_end_clean',
        'ob_end_flush', 'ob_get_contents', 'ob_get_level', 'ob_start', 'ord', 'output_reset_rewrite_vars', 'pack',
        'parse_ini_file', 'parse_str', 'pathinfo', 'pcntl_exec', 'preg_match', 'preg_replace',
        'preg_replace_callback', 'preg_split', 'putenv', 'rawurldecode', 'rawurlencode', 'readlink',
        'register_shutdown_function', 'reset', 'restore_error_handler', 'restore_exception_handler', 'rewind',
        'round', 'rtrim', 'session_destroy', 'session_id', 'session_set_save_handler', 'session_start',
        'session_status', 'session_write_close', 'set_error_handler', 'set_exception_handler', 'setlocale',
        'spl_autoload_functions', 'spl_autoload_register', 'spl_autoload_unregister', 'sprintf', 'str_contains',
        'str_ends_with', 'str_ireplace', 'str_repeat', 'str_replace', 'str_split', 'str_starts_with', 'strcasecmp',
        'strcspn', 'stream_context_create', 'stream_context_get_default', 'stream_context_get_options',
        'stream_get_contents', 'stream_get_line', 'stream_get_meta_data', 'stream_get_wrappers', 'stream_select',
        'stream_set_blocking', 'stream_set_read_buffer', 'stream_set_timeout', 'stream_set_write_buffer',
        'stream_socket_client', 'stream_socket_pair', 'stream_wrapper_register', 'stream_wrapper_restore',
        'stream_wrapper_unregister', 'stripos', 'strlen', 'strpos', 'strrchr', 'strrev', 'strrpos', 'strspn',
        'strtok', 'strtolower', 'strtotime', 'strtoupper', 'strtr', 'strval', 'substr', 'substr_compare',
        'sys_get_temp_dir', 'tempnam', 'time', 'trim', 'umask', 'unlink', 'urldecode', 'urlencode', 'usleep',
    ];
}
