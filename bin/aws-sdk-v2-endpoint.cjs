/**
 * Loaded before a Node.js program by `lamella run`, through NODE_OPTIONS. Version 2 of the AWS SDK for JavaScript, which
 * serverless@3 and others use, reads no endpoint variable: this sets its global endpoint when the program loads it.
 * Every other program is left alone.
 */
'use strict';

const Module = require('node:module');

const SDK_CORE = /[\\/]aws-sdk[\\/]lib[\\/]core\.js$/;
const load = Module._extensions['.js'];

Module._extensions['.js'] = function loadModule(module, filename) {
  load(module, filename);
  const endpoint = process.env.AWS_ENDPOINT_URL;
  if (!endpoint || !SDK_CORE.test(filename)) return;
  const AWS = module.exports;
  let config = AWS.config;
  const point = () => config?.update({ endpoint, s3ForcePathStyle: true });
  // The address of the service has no subdomain for each bucket, hence the path style.
  point();
  // The SDK replaces its configuration after this file, when it knows that it runs on Node.js.
  Object.defineProperty(AWS, 'config', {
    configurable: true,
    enumerable: true,
    get: () => config,
    set(value) {
      config = value;
      point();
    },
  });
};
