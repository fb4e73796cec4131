<?php

/** The first script that php-cgi runs, to check that it works. */

declare(strict_types=1);
