<?php

/**
 * The variables of a request, nested and renamed as PHP itself does it: `a[b][]`, dots and spaces as underscores. `parse_str`
 * decides about each name, so that the rules are those of the PHP version in use.
 */

declare(strict_types=1);

namespace Lamella\Http;

final class Variables
{
    /**
     * Adds a variable.
     *
     * @param array<array-key, mixed> $variables
     * @param mixed $value not an array
     * @param bool $keepsFirst keeps an existing variable, unless the name has brackets: the rule for cookies
     * @param int $levels number of levels that count toward `max_input_nesting_level` in addition to those of the name
     */
    public static function add(
        array &$variables,
        string $name,
        mixed $value,
        bool $keepsFirst = false,
        int $levels = 0,
    ): void {
        // The indexes that follow each other; PHP ignores the rest of the name.
        preg_match('/^[^\[]*((?:\[[^\]]*\])*)/', $name, $match);
        $tokens = $match[1] === '' ? [] : explode('][', substr($match[1], 1, -1));
        $isTooDeep = $tokens !== [] && count($tokens) + $levels > (int) ini_get('max_input_nesting_level');
        parse_str(urlencode($name) . '=1', $parsed);
        if ($parsed === [] || $isTooDeep) {
            if ($isTooDeep) {
                // PHP removes the whole variable.
                parse_str(urlencode(substr($name, 0, (int) strpos($name, '['))) . '=1', $parsed);
                unset($variables[array_key_first($parsed) ?? '']);
            }
            return;
        }
        $key = array_key_first($parsed);
        $target = &$variables;
        for ($level = 0, $nested = $parsed[$key]; is_array($nested); $level++) {
            if (!is_array($target[$key] ?? null)) {
                $target[$key] = [];
            }
            $target = &$target[$key];
            $key = array_key_first($nested);
            $nested = $nested[$key];
            if (preg_match('/^\s?$/D', $tokens[$level]) === 1) {
                // An empty index is the next free one.
                $target[] = null;
                $key = array_key_last($target);
            }
        }
        if (!$keepsFirst || $level > 0 || !array_key_exists($key, $target)) {
            $target[$key] = $value;
        }
    }
}
