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
    case 'log':
      process.stdout.write('to standard output\n');
      process.stderr.write('to standard error\n');
      return null;
    default:
      return event;
  }
};
