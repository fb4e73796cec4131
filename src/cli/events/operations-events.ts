/**
 * Events of services for building, deploying and governing: CloudFormation, CodeCommit, CodePipeline, Config, Batch, Step
 * Functions, SageMaker.
 */
import {
  ACCOUNT,
  arnOf,
  EPOCH_SECONDS,
  type EventType,
  eventsOf,
  type Fields,
  PLACE,
  REQUEST_ID,
  TIME,
} from './event-type.ts';

export const OPERATIONS_EVENTS: readonly EventType[] = [
  ...eventsOf('batch', {
    'get-job': {
      summary: 'Request for the state of a job',
      fields: { 'job-id': REQUEST_ID },
      build: (f) => ({ jobId: f('job-id') }),
    },
    'submit-job': {
      summary: 'Request to submit a job',
      fields: { 'job-name': 'example-job', 'job-queue': 'default', 'job-definition': 'example:1' },
      build: (f) => ({
        jobName: f('job-name'),
        jobQueue: f('job-queue'),
        jobDefinition: f('job-definition'),
        parameters: { name: 'example' },
        containerOverrides: null,
      }),
    },
  }),
  ...eventsOf('cloudformation', {
    'create-request': {
      summary: 'A custom resource is created',
      fields: {
        ...PLACE,
        stack: 'MyStack',
        'request-type': 'Create',
        'resource-type': 'Custom::Example',
        'logical-id': 'MyResource',
      },
      build: (f) => ({
        RequestType: f('request-type'),
        ServiceToken: arnOf(f, 'lambda', 'function:custom-resource'),
        ResponseURL: `https://cloudformation-custom-resource-response.s3.amazonaws.com/${f('logical-id')}?signature=example`,
        StackId: arnOf(f, 'cloudformation', `stack/${f('stack')}/${REQUEST_ID}`),
        RequestId: REQUEST_ID,
        LogicalResourceId: f('logical-id'),
        ResourceType: f('resource-type'),
        ResourceProperties: {
          ServiceToken: arnOf(f, 'lambda', 'function:custom-resource'),
          StackName: f('stack'),
          List: ['1', '2', '3'],
        },
      }),
    },
  }),
  ...eventsOf('codecommit', {
    repository: {
      summary: 'Trigger of a repository',
      fields: {
        ...PLACE,
        repository: 'my-repo',
        trigger: 'my-trigger',
        'custom-data': 'this is custom data',
        branch: 'main',
      },
      build: (f) => ({
        Records: [
          {
            awsRegion: f('region'),
            codecommit: {
              references: [
                { commit: '5c4ef1049f1d27deadbeeff313e0730018be182b', ref: `refs/heads/${f('branch')}`, created: true },
              ],
            },
            customData: f('custom-data'),
            eventId: REQUEST_ID,
            eventName: 'TriggerEventTest',
            eventPartNumber: 1,
            eventSource: 'aws:codecommit',
            eventSourceARN: arnOf(f, 'codecommit', f('repository')),
            eventTime: TIME.replace('Z', '+0000'),
            eventTotalParts: 1,
            eventTriggerConfigId: REQUEST_ID,
            eventTriggerName: f('trigger'),
            eventVersion: '1.0',
            userIdentityARN: arnOf(f, 'iam', 'user/example').replace(`:${f('region')}:`, '::'),
          },
        ],
      }),
    },
  }),
  ...eventsOf('codepipeline', {
    job: {
      summary: 'Job of an action that invokes a function',
      fields: {
        ...ACCOUNT,
        'input-bucket': 'example-bucket',
        'input-key': 'test/key',
        'output-bucket': 'example-bucket2',
        'output-key': 'test/key2',
        'user-parameters': 'example',
      },
      build: (f) => ({
        'CodePipeline.job': {
          id: REQUEST_ID,
          accountId: f('account-id'),
          data: {
            actionConfiguration: { configuration: { FunctionName: 'example', UserParameters: f('user-parameters') } },
            inputArtifacts: [artifact('input', f('input-bucket'), f('input-key'))],
            outputArtifacts: [artifact('output', f('output-bucket'), f('output-key'))],
            artifactCredentials: { accessKeyId: 'EXAMPLE', secretAccessKey: 'EXAMPLE', sessionToken: 'EXAMPLE' },
            continuationToken: 'example',
          },
        },
      }),
    },
  }),
  ...eventsOf('config', {
    'item-change-notification': {
      summary: 'A resource has changed',
      fields: { ...PLACE, rule: 'example-rule' },
      build: (f) =>
        configRule(f, {
          configurationItem: configurationItem(f),
          configurationItemDiff: null,
          notificationCreationTime: TIME,
          messageType: 'ConfigurationItemChangeNotification',
          recordVersion: '1.3',
        }),
    },
    'oversized-item-change-notification': {
      summary: 'A resource has changed whose description is too large for an event',
      fields: { ...PLACE, rule: 'example-rule' },
      build: (f) => {
        const { configuration: _, relationships: __, tags: ___, ...item } = configurationItem(f);
        return configRule(f, {
          configurationItemSummary: { changeType: 'UPDATE', ...item },
          s3DeliverySummary: null,
          notificationCreationTime: TIME,
          messageType: 'OversizedConfigurationItemChangeNotification',
          recordVersion: '1.0',
        });
      },
    },
    'periodic-rule': {
      summary: 'A periodic rule is evaluated',
      fields: { ...PLACE, rule: 'example-rule' },
      build: (f) =>
        configRule(f, {
          awsAccountId: f('account-id'),
          notificationCreationTime: TIME,
          messageType: 'ScheduledNotification',
          recordVersion: '1.0',
        }),
    },
  }),
  ...eventsOf('stepfunctions', {
    error: {
      summary: 'Output of a failed state, for a function that handles errors',
      fields: { error: 'ErrorName', cause: 'This is the cause of the error.' },
      build: (f) => ({ Error: f('error'), Cause: f('cause') }),
    },
  }),
  ...eventsOf('sagemaker', {
    'ground-truth-pre-human': {
      summary: 'Data object before it is labeled',
      fields: { ...PLACE, 'source-ref': 's3://example-bucket/object.jpg', 'labeling-job-name': 'example-job' },
      build: (f) => ({
        version: '2018-10-16',
        labelingJobArn: arnOf(f, 'sagemaker', `labeling-job/${f('labeling-job-name')}`),
        dataObject: { 'source-ref': f('source-ref') },
      }),
    },
    'ground-truth-annotation-consolidation': {
      summary: 'Annotations of several workers to consolidate',
      fields: {
        ...PLACE,
        'labeling-job-name': 'example-job',
        'label-attribute-name': 'example-attribute',
        's3-output-path': 's3://example-bucket/output',
        'execution-role': 'sagemaker-role',
        'iteration-object-timestamp': 'iteration-1/0/2026-01-15_12:00:00',
      },
      build: (f) => ({
        version: '2018-10-06',
        labelingJobArn: arnOf(f, 'sagemaker', `labeling-job/${f('labeling-job-name')}`),
        payload: {
          s3Uri: `${f('s3-output-path')}/${f('labeling-job-name')}/annotations/consolidated-annotation/consolidation-request/${f('iteration-object-timestamp')}.json`,
        },
        labelAttributeName: f('label-attribute-name'),
        roleArn: arnOf(f, 'iam', `role/${f('execution-role')}`).replace(`:${f('region')}:`, '::'),
        outputConfig: `${f('s3-output-path')}/${f('labeling-job-name')}/annotations`,
        maxHumanWorkersPerDataObject: 1,
      }),
    },
  }),
];

function artifact(name: string, bucketName: string, objectKey: string) {
  return { name, revision: null, location: { type: 'S3', s3Location: { bucketName, objectKey } } };
}

function configRule(f: Fields, invokingEvent: object) {
  return {
    version: '1.0',
    invokingEvent: JSON.stringify(invokingEvent),
    ruleParameters: JSON.stringify({ myParameterKey: 'myParameterValue' }),
    resultToken: 'myResultToken',
    eventLeftScope: false,
    executionRoleArn: arnOf(f, 'iam', 'role/config-role').replace(`:${f('region')}:`, '::'),
    configRuleArn: arnOf(f, 'config', 'config-rule/config-rule-0123456'),
    configRuleName: f('rule'),
    configRuleId: 'config-rule-0123456',
    accountId: f('account-id'),
  };
}

function configurationItem(f: Fields) {
  return {
    configurationItemCaptureTime: TIME,
    configurationItemStatus: 'OK',
    configurationStateId: EPOCH_SECONDS,
    awsAccountId: f('account-id'),
    resourceType: 'AWS::EC2::Instance',
    resourceId: 'i-00000000000000001',
    ARN: arnOf(f, 'ec2', 'instance/i-00000000000000001'),
    awsRegion: f('region'),
    availabilityZone: `${f('region')}b`,
    resourceCreationTime: TIME,
    tags: { Name: 'example' },
    relationships: [],
    configuration: { instanceId: 'i-00000000000000001', instanceType: 't3.micro' },
  };
}
