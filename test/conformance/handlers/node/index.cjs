const { readFileSync, writeFileSync } = require('node:fs');

let served = 0;

exports.handler = async (event) => {
  served++;
  switch (event?.do) {
    case 'fail':
      throw new Error(event.message);
    case 'size':
      return 'x'.repeat(event.size);
    case 'trace':
      return process.env._X_AMZN_TRACE_ID;
    case 'count':
      return served;
    case 'die':
      process.kill(process.pid, 'SIGKILL');
      break;
    case 'sleep':
      return new Promise((resolve) => setTimeout(resolve, event.seconds * 1000));
    case 'write':
      return writeFileSync('/tmp/kept', JSON.stringify(event.text));
    case 'read':
      return JSON.parse(readFileSync('/tmp/kept', 'utf8'));
    case 'variable':
      return process.env[event.name];
    case 'log':
      process.stdout.write('to standard output\n');
      process.stderr.write('to standard error\n');
      return null;
    default:
      return event;
  }
};
