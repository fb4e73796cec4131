/**
 * Events of services that people talk to: Alexa, Lex, Connect, Cognito, AppSync, Rekognition.
 */
import {
  arnOf,
  type EventType,
  eventsOf,
  type Fields,
  globalArnOf,
  PARTITION,
  PLACE,
  REGION,
  REQUEST_ID,
  TIME,
} from './event-type.ts';

const SKILL = {
  'session-id': 'amzn1.echo-api.session.123456789012',
  'user-id': 'amzn1.ask.account.testUser',
  'application-id': 'amzn1.ask.skill.987654321',
  'request-id': 'amzn1.echo-api.request.1234',
  locale: 'en-US',
} as const;

export const USER_EVENTS: readonly EventType[] = [
  ...eventsOf('alexa-skills-kit', {
    'start-session': {
      summary: 'A session starts',
      fields: SKILL,
      build: (f) => skill(f, true, { type: 'LaunchRequest' }),
    },
    'end-session': {
      summary: 'A session ends',
      fields: { ...SKILL, reason: 'USER_INITIATED' },
      build: (f) => skill(f, false, { type: 'SessionEndedRequest', reason: f('reason') }),
    },
    'intent-answer': intent('AnswerIntent', { Answer: '3' }),
    'intent-getnewfact': intent('GetNewFactIntent', {}),
    'intent-mycoloris': intent('MyColorIsIntent', { Color: 'blue' }),
    'intent-recipe': intent('RecipeIntent', { Item: 'snow golem' }),
  }),
  ...eventsOf('alexa-smart-home', {
    'smart-home-discovery-request': {
      summary: 'Which devices are there',
      fields: { token: 'access-token' },
      build: (f) => ({
        header: header('Alexa.ConnectedHome.Discovery', 'DiscoverAppliancesRequest'),
        payload: { accessToken: f('token') },
      }),
    },
    'smart-home-control-turn-on-request': control('TurnOnRequest'),
    'smart-home-control-turn-off-request': control('TurnOffRequest'),
  }),
  ...eventsOf('appsync', {
    resolver: {
      summary: 'Field of a GraphQL query, through a direct Lambda resolver',
      fields: { 'type-name': 'Query', 'field-name': 'getPost', arguments: '{"id":"1"}' },
      build: (f) => ({
        arguments: objectOf(f('arguments')),
        identity: null,
        source: null,
        request: {
          headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.10' },
          domainName: null,
        },
        prev: null,
        info: {
          selectionSetList: ['id', 'title'],
          selectionSetGraphQL: '{\n  id\n  title\n}',
          parentTypeName: f('type-name'),
          fieldName: f('field-name'),
          variables: {},
        },
        stash: {},
      }),
    },
  }),
  ...eventsOf('cognito', {
    'sync-trigger': {
      summary: 'Data of a user is synchronized',
      fields: { ...REGION, dataset: 'datasetName' },
      build: (f) => ({
        version: 2,
        eventType: 'SyncTrigger',
        region: f('region'),
        identityPoolId: `${f('region')}:${REQUEST_ID}`,
        identityId: `${f('region')}:${REQUEST_ID}`,
        datasetName: f('dataset'),
        datasetRecords: {
          SampleKey1: { oldValue: 'oldValue1', newValue: 'newValue1', op: 'replace' },
          SampleKey2: { oldValue: 'oldValue2', newValue: 'newValue2', op: 'replace' },
        },
      }),
    },
  }),
  ...eventsOf('connect', {
    'contact-flow-event': {
      summary: 'A contact flow invokes a function',
      fields: { ...PLACE, 'contact-id': REQUEST_ID, 'phone-number': '+15555550123' },
      build: (f) => ({
        Name: 'ContactFlowEvent',
        Details: {
          ContactData: {
            Attributes: {},
            Channel: 'VOICE',
            ContactId: f('contact-id'),
            CustomerEndpoint: { Address: f('phone-number'), Type: 'TELEPHONE_NUMBER' },
            InitialContactId: f('contact-id'),
            InitiationMethod: 'INBOUND',
            InstanceARN: arnOf(f, 'connect', `instance/${REQUEST_ID}`),
            MediaStreams: { Customer: { Audio: null } },
            PreviousContactId: f('contact-id'),
            Queue: null,
            SystemEndpoint: { Address: '+15555550100', Type: 'TELEPHONE_NUMBER' },
          },
          Parameters: {},
        },
      }),
    },
  }),
  ...eventsOf('lex', {
    'book-car': lexV1('BookTrip', 'BookCar', { PickUpCity: 'Seattle', CarType: null }),
    'book-hotel': lexV1('BookTrip', 'BookHotel', { Location: 'Seattle', Nights: null }),
    'make-appointment': lexV1('MakeAppointment', 'MakeAppointment', {
      AppointmentType: 'cleaning',
      Date: '2026-01-20',
      Time: null,
    }),
    'order-flowers': lexV1('OrderFlowers', 'OrderFlowers', { FlowerType: 'roses', PickupDate: null, PickupTime: null }),
  }),
  ...eventsOf('lex-v2', {
    'banking-bot': lexV2('BankingBot', 'CheckBalance', { accountType: 'checking', dateOfBirth: null }),
    'book-car': lexV2('BookTrip', 'BookCar', { PickUpCity: 'Seattle', CarType: null }),
    'book-hotel': lexV2('BookTrip', 'BookHotel', { Location: 'Seattle', Nights: null }),
  }),
  ...eventsOf('rekognition', {
    's3-request': {
      summary: 'Object with an image, for a function that calls Rekognition',
      fields: { ...REGION, ...PARTITION, bucket: 'example-bucket', key: 'photos/image.jpg' },
      build: (f) => ({
        Records: [
          {
            eventVersion: '2.1',
            eventSource: 'aws:s3',
            awsRegion: f('region'),
            eventTime: TIME,
            eventName: 'ObjectCreated:Put',
            s3: {
              s3SchemaVersion: '1.0',
              bucket: { name: f('bucket'), arn: globalArnOf(f('partition'), 's3', f('bucket')) },
              object: { key: encodeURIComponent(f('key')).replace(/%2F/g, '/'), size: 1024 },
            },
          },
        ],
      }),
    },
  }),
];

type Row = Omit<EventType, 'service' | 'type'>;

function intent(name: string, slots: Readonly<Record<string, string>>): Row {
  const rendered = Object.fromEntries(Object.entries(slots).map(([slot, value]) => [slot, { name: slot, value }]));
  return {
    summary: `A person says something: ${name}`,
    fields: SKILL,
    build: (f) => skill(f, false, { type: 'IntentRequest', intent: { name, slots: rendered } }),
  };
}

function skill(f: Fields, isNew: boolean, request: object) {
  const application = { applicationId: f('application-id') };
  const user = { userId: f('user-id') };
  return {
    version: '1.0',
    session: { new: isNew, sessionId: f('session-id'), application, attributes: {}, user },
    context: { System: { application, user, device: { supportedInterfaces: {} } } },
    request: { ...request, requestId: f('request-id'), locale: f('locale'), timestamp: TIME.replace('.000', '') },
  };
}

function header(namespace: string, name: string) {
  return { namespace, name, payloadVersion: '2', messageId: REQUEST_ID };
}

function control(name: string): Row {
  return {
    summary: `A device is switched: ${name}`,
    fields: { token: 'access-token', 'appliance-id': 'device-1' },
    build: (f) => ({
      header: header('Alexa.ConnectedHome.Control', name),
      payload: {
        accessToken: f('token'),
        appliance: { applianceId: f('appliance-id'), additionalApplianceDetails: {} },
      },
    }),
  };
}

function lexV1(bot: string, intentName: string, slots: Readonly<Record<string, string | null>>): Row {
  return {
    summary: `Dialog of Lex V1: ${intentName}`,
    fields: { 'user-id': 'John', bot, transcript: 'example' },
    build: (f) => ({
      messageVersion: '1.0',
      invocationSource: 'DialogCodeHook',
      userId: f('user-id'),
      sessionAttributes: {},
      requestAttributes: null,
      bot: { name: f('bot'), alias: '$LATEST', version: '$LATEST' },
      outputDialogMode: 'Text',
      currentIntent: { name: intentName, slots, confirmationStatus: 'None' },
      inputTranscript: f('transcript'),
    }),
  };
}

function lexV2(bot: string, intentName: string, values: Readonly<Record<string, string | null>>): Row {
  const slot = (value: string | null) =>
    value === null
      ? null
      : { shape: 'Scalar', value: { originalValue: value, interpretedValue: value, resolvedValues: [value] } };
  const slots = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, slot(value)]));
  const state = { name: intentName, slots, state: 'InProgress', confirmationState: 'None' };
  return {
    summary: `Dialog of Lex V2: ${intentName}`,
    fields: { bot, locale: 'en_US', 'session-id': REQUEST_ID, transcript: 'example' },
    build: (f) => ({
      messageVersion: '1.0',
      invocationSource: 'DialogCodeHook',
      inputMode: 'Text',
      responseContentType: 'text/plain; charset=utf-8',
      sessionId: f('session-id'),
      inputTranscript: f('transcript'),
      bot: {
        id: 'ABCDEF1234',
        name: f('bot'),
        aliasId: 'TSTALIASID',
        aliasName: 'TestBotAlias',
        localeId: f('locale'),
        version: 'DRAFT',
      },
      interpretations: [{ intent: state, nluConfidence: 0.84, interpretationSource: 'Lex' }],
      proposedNextState: { dialogAction: { type: 'Delegate' }, intent: state },
      requestAttributes: {},
      sessionState: { sessionAttributes: {}, activeContexts: [], intent: state, originatingRequestId: REQUEST_ID },
      transcriptions: [
        {
          transcription: f('transcript'),
          transcriptionConfidence: 1,
          resolvedContext: { intent: intentName },
          resolvedSlots: {},
        },
      ],
    }),
  };
}

function objectOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
