<?php

/** What php-cgi is asked for first, to see that it runs. */

declare(strict_types=1);
