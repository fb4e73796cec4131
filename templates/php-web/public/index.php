<?php

declare(strict_types=1);

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$name = htmlspecialchars($_GET['name'] ?? 'World');
if (!in_array($path, ['/', '/hello'], true)) {
    http_response_code(404);
}
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Hello</title>
<link rel="stylesheet" href="/style.css">
<main>
  <h1>Hello, <?= $name ?>!</h1>
  <form action="/hello">
    <label>Your name <input name="name" autocomplete="off"></label>
    <button>Say hello</button>
  </form>
  <p>PHP <?= PHP_VERSION ?></p>
</main>
</html>
