<?php

/**
 * The CGI variables of a request, with which a web server fills `$_SERVER`. SCRIPT_NAME is the front controller or script.
 * PATH_INFO is only set if the path continues after the name of a script.
 * https://www.rfc-editor.org/rfc/rfc3875#section-4
 */

declare(strict_types=1);

namespace Lamella\Http;

use Lamella\Context;

final class ServerVariables
{
    private const JSON = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE;

    /**
     * @param string $documentRoot a directory, without a trailing slash
     * @param string $scriptName path of the script relative to it, with a leading slash
     * @return array<string, string>
     */
    public static function of(Request $request, string $documentRoot, string $scriptName, string $pathInfo = ''): array
    {
        $isSecure = $request->isSecure();
        $variables = self::headers($request->headers) + [
            'GATEWAY_INTERFACE' => 'CGI/1.1',
            'SERVER_SOFTWARE' => 'lamella',
            'REQUEST_METHOD' => $request->method,
            'REQUEST_URI' => $request->uri(),
            'QUERY_STRING' => $request->queryString,
            'SERVER_PROTOCOL' => $request->protocol,
            'SERVER_NAME' => $request->host(),
            'SERVER_PORT' => (string) $request->port(),
            'SERVER_ADDR' => '127.0.0.1',
            'REMOTE_ADDR' => $request->peerAddress,
            'REMOTE_PORT' => '0',
            'REQUEST_SCHEME' => $isSecure ? 'https' : 'http',
            'DOCUMENT_ROOT' => $documentRoot,
            'SCRIPT_NAME' => $scriptName,
            'SCRIPT_FILENAME' => $documentRoot . $scriptName,
            'DOCUMENT_URI' => $scriptName . $pathInfo,
            // php-cgi requires it (cgi.force_redirect).
            'REDIRECT_STATUS' => '200',
        ];
        if ($isSecure) {
            $variables['HTTPS'] = 'on';
        }
        if ($pathInfo !== '') {
            // Not PATH_TRANSLATED: php-cgi would use it as the script.
            $variables['PATH_INFO'] = $pathInfo;
        }
        return $variables;
    }

    /**
     * The variables about the invocation, with Bref's names.
     *
     * @return array<string, string>
     */
    public static function ofLambda(Request $request, Context $context): array
    {
        return [
            'LAMBDA_REQUEST_ID' => $context->requestId,
            'LAMBDA_REQUEST_CONTEXT' => json_encode($request->event['requestContext'] ?? [], self::JSON),
            'LAMBDA_INVOCATION_CONTEXT' => json_encode([
                'awsRequestId' => $context->requestId,
                'deadlineMs' => $context->deadlineMs,
                'invokedFunctionArn' => $context->invokedFunctionArn,
                'traceId' => $context->traceId,
            ], self::JSON),
            '_X_AMZN_TRACE_ID' => $context->traceId,
        ];
    }

    /**
     * The variables that PHP itself derives from the Authorization header, for applications that stay booted.
     *
     * @return array<string, string>
     */
    public static function authentication(Request $request): array
    {
        $authorization = trim($request->header('authorization'));
        if (preg_match('/^Digest\s+(.*)$/is', $authorization, $match) === 1) {
            return ['AUTH_TYPE' => 'Digest', 'PHP_AUTH_DIGEST' => $match[1]];
        }
        $credentials = $request->basicCredentials();
        return $credentials === null ? [] : [
            'AUTH_TYPE' => 'Basic',
            'PHP_AUTH_USER' => $credentials[0],
            'PHP_AUTH_PW' => $credentials[1],
        ];
    }

    /**
     * @param array<array-key, list<string>> $headers
     * @return array<string, string>
     */
    private static function headers(array $headers): array
    {
        $variables = [];
        $underscored = [];
        foreach ($headers as $name => $values) {
            $variable = 'HTTP_' . strtoupper(strtr((string) $name, '-', '_'));
            if ($variable === 'HTTP_PROXY') {
                // HTTP clients would use it as their proxy: https://httpoxy.org
                continue;
            }
            $value = count($values) === 1 ? $values[0] : implode($variable === 'HTTP_COOKIE' ? '; ' : ', ', $values);
            if (str_contains((string) $name, '_')) {
                $underscored[$variable] = $value;
            } else {
                $variables[$variable] = $value;
            }
        }
        // Of two names that become the same variable, the one with dashes wins over the one with underscores.
        $variables += $underscored;
        // Under both names, as with nginx.
        foreach (['CONTENT_TYPE', 'CONTENT_LENGTH'] as $name) {
            if (isset($variables["HTTP_{$name}"])) {
                $variables[$name] = $variables["HTTP_{$name}"];
            }
        }
        return $variables;
    }
}
