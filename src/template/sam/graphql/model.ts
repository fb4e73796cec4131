/** What the properties of a GraphQL API must look like. */
import {
  anyMap,
  anything,
  boolean,
  intrinsicOr,
  listModel,
  type Model,
  mapModel,
  may,
  needs,
  objectModel,
  oneOfTexts,
  text,
  unionModel,
} from '../models.ts';

const TYPES = ['AWS_IAM', 'API_KEY', 'AWS_LAMBDA', 'OPENID_CONNECT', 'AMAZON_COGNITO_USER_POOLS'];

/** Members that may be anything: those after `!` are required. */
function members(names: string): Record<string, ReturnType<typeof may>> {
  return Object.fromEntries(
    names.split(' ').map((name) => (name.startsWith('!') ? [name.slice(1), needs(anything)] : [name, may(anything)])),
  );
}

const AUTHORIZER = {
  Type: needs(oneOfTexts(...TYPES)),
  LambdaAuthorizer: may(
    objectModel(members('AuthorizerResultTtlInSeconds !AuthorizerUri IdentityValidationExpression')),
  ),
  OpenIDConnect: may(objectModel(members('AuthTTL ClientId IatTTL Issuer'))),
  UserPool: may(objectModel(members('AppIdClientRegex AwsRegion DefaultAction !UserPoolId'))),
};

const RUNTIME = objectModel(members('!Name !Version'));

const SYNC = objectModel({
  ...members('!ConflictDetection ConflictHandler'),
  LambdaConflictHandlerConfig: may(objectModel(members('!LambdaConflictHandlerArn'))),
});

const DYNAMODB_SOURCE = objectModel({
  ...members('!TableName ServiceRoleArn TableArn'),
  Permissions: may(listModel(oneOfTexts('Read', 'Write'))),
  ...members('Name Description Region'),
  DeltaSync: may(objectModel(members('!BaseTableTTL !DeltaSyncTableName !DeltaSyncTableTTL'))),
  ...members('UseCallerCredentials Versioned'),
});

const FUNCTION = objectModel({
  DataSource: may(intrinsicOr(text)),
  Runtime: may(RUNTIME),
  ...members('InlineCode CodeUri Description MaxBatchSize'),
  Name: may(text),
  ...members('Id'),
  Sync: may(SYNC),
});

const RESOLVER = objectModel({
  FieldName: may(text),
  Caching: may(objectModel({ ...members('!Ttl'), CachingKeys: may(listModel(anything)) })),
  ...members('InlineCode CodeUri MaxBatchSize'),
  Pipeline: may(listModel(text)),
  Runtime: may(RUNTIME),
  Sync: may(SYNC),
});

export const GRAPHQL_MODEL: Model = objectModel({
  Auth: needs(objectModel({ ...AUTHORIZER, Additional: may(listModel(objectModel(AUTHORIZER))) })),
  Tags: may(anyMap),
  ...members('Name'),
  XrayEnabled: may(boolean),
  ...members('SchemaInline SchemaUri'),
  Logging: may(unionModel(objectModel(members('CloudWatchLogsRoleArn ExcludeVerboseContent FieldLogLevel')), boolean)),
  DataSources: may(
    objectModel({
      DynamoDb: may(mapModel(DYNAMODB_SOURCE)),
      Lambda: may(mapModel(objectModel(members('!FunctionArn ServiceRoleArn Name Description')))),
    }),
  ),
  Functions: may(mapModel(FUNCTION)),
  Resolvers: may(mapModel(mapModel(RESOLVER))),
  ApiKeys: may(mapModel(objectModel(members('ApiKeyId Description ExpiresOn')))),
  DomainName: may(objectModel(members('!CertificateArn !DomainName Description'))),
  Cache: may(objectModel(members('!ApiCachingBehavior !Ttl !Type AtRestEncryptionEnabled TransitEncryptionEnabled'))),
  ...members('Visibility OwnerContact IntrospectionConfig QueryDepthLimit ResolverCountLimit'),
});
