/**
 * What connectors may connect, in a notation of our own, which `profiles.ts` reads. A profile is the source's and the destination's type,
 * what it makes (a policy on the role of one of them, a queue's or a topic's policy, a function's permission), what must wait for it,
 * and after `only` the combinations of permissions that are allowed. Its lines begin with a permission. Those of a role have a
 * statement: the service and its actions, `@`, resources. The others have the principal, and the action or the source's ARN.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/reference-sam-connector.html
 */
export const CONNECTOR_PROFILES = `
AWS::DynamoDB::Table > AWS::Lambda::Function role-of-destination before-mapping
  Read dynamodb: DescribeStream GetRecords GetShardIterator ListStreams @ {Source.Arn}/stream/*
AWS::Events::Rule > AWS::SNS::Topic topic
  Write events sns:Publish
AWS::Events::Rule > AWS::Events::EventBus role-of-source
  Write events: PutEvents @ {Destination.Arn}
AWS::Events::Rule > AWS::StepFunctions::StateMachine role-of-source
  Write states: StartExecution @ {Destination.Arn}
AWS::Events::Rule > AWS::Lambda::Function permission
  Write events {Source.Arn}
AWS::Events::Rule > AWS::SQS::Queue queue
  Write events sqs:SendMessage
AWS::Lambda::Function > AWS::Lambda::Function role-of-source
  Write lambda: InvokeAsync InvokeFunction @ {Destination.Arn}
AWS::Lambda::Function > AWS::S3::Bucket role-of-source
  Read s3: GetObject GetObjectAcl GetObjectLegalHold GetObjectRetention GetObjectTorrent GetObjectVersion
      GetObjectVersionAcl GetObjectVersionForReplication GetObjectVersionTorrent ListBucket
      ListBucketMultipartUploads ListBucketVersions ListMultipartUploadParts @ {Destination.Arn} {Destination.Arn}/*
  Write s3: AbortMultipartUpload DeleteObject DeleteObjectVersion PutObject PutObjectLegalHold PutObjectRetention
      RestoreObject @ {Destination.Arn} {Destination.Arn}/*
AWS::Lambda::Function > AWS::DynamoDB::Table role-of-source
  Read dynamodb: GetItem Query Scan BatchGetItem ConditionCheckItem PartiQLSelect @ {Destination.Arn}
      {Destination.Arn}/index/*
  Write dynamodb: PutItem UpdateItem DeleteItem BatchWriteItem PartiQLDelete PartiQLInsert PartiQLUpdate @
      {Destination.Arn} {Destination.Arn}/index/*
AWS::Lambda::Function > AWS::SQS::Queue role-of-source
  Read sqs: ReceiveMessage GetQueueAttributes @ {Destination.Arn}
  Write sqs: DeleteMessage SendMessage ChangeMessageVisibility PurgeQueue @ {Destination.Arn}
AWS::Lambda::Function > AWS::SNS::Topic role-of-source
  Write sns: Publish @ {Destination.Arn}
AWS::Lambda::Function > AWS::StepFunctions::StateMachine role-of-source
  Write states: StartExecution StartSyncExecution @ {Destination.Arn}
  Write states: StopExecution @ states::execution:{Destination.Name}:*
  Read states: DescribeStateMachine ListExecutions @ {Destination.Arn}
  Read states: DescribeExecution DescribeStateMachineForExecution GetExecutionHistory @
      states::execution:{Destination.Name}:*
AWS::Lambda::Function > AWS::Events::EventBus role-of-source
  Write events: PutEvents @ {Destination.Arn}
AWS::Lambda::Function > AWS::Location::PlaceIndex role-of-source
  Read geo: DescribePlaceIndex GetPlace SearchPlaceIndexForPosition SearchPlaceIndexForSuggestions
      SearchPlaceIndexForText @ {Destination.Arn}
AWS::ApiGatewayV2::Api > AWS::Lambda::Function permission
  Write apigateway execute-api::{Source.ResourceId}/{Source.Qualifier}
AWS::ApiGateway::RestApi > AWS::Lambda::Function permission
  Write apigateway execute-api::{Source.ResourceId}/{Source.Qualifier}
AWS::SNS::Topic > AWS::SQS::Queue queue
  Write sns sqs:SendMessage
AWS::SNS::Topic > AWS::Lambda::Function permission
  Write sns {Source.Arn}
AWS::SQS::Queue > AWS::Lambda::Function role-of-destination before-mapping only Read+Write
  Write sqs: DeleteMessage @ {Source.Arn}
  Read sqs: ReceiveMessage GetQueueAttributes @ {Source.Arn}
AWS::S3::Bucket > AWS::Lambda::Function permission
  Write s3 {Source.Arn} own-account
AWS::StepFunctions::StateMachine > AWS::Lambda::Function role-of-source
  Write lambda: InvokeAsync InvokeFunction @ {Destination.Arn}
AWS::StepFunctions::StateMachine > AWS::SNS::Topic role-of-source
  Write sns: Publish @ {Destination.Arn}
AWS::StepFunctions::StateMachine > AWS::SQS::Queue role-of-source
  Write sqs: SendMessage @ {Destination.Arn}
AWS::StepFunctions::StateMachine > AWS::S3::Bucket role-of-source
  Read s3: GetObject GetObjectAcl GetObjectLegalHold GetObjectRetention GetObjectTorrent GetObjectVersion
      GetObjectVersionAcl GetObjectVersionForReplication GetObjectVersionTorrent ListBucket
      ListBucketMultipartUploads ListBucketVersions ListMultipartUploadParts @ {Destination.Arn} {Destination.Arn}/*
  Write s3: AbortMultipartUpload DeleteObject DeleteObjectVersion PutObject PutObjectLegalHold PutObjectRetention
      RestoreObject @ {Destination.Arn} {Destination.Arn}/*
AWS::StepFunctions::StateMachine > AWS::DynamoDB::Table role-of-source
  Read dynamodb: GetItem Query Scan BatchGetItem ConditionCheckItem PartiQLSelect @ {Destination.Arn}
      {Destination.Arn}/index/*
  Write dynamodb: PutItem UpdateItem DeleteItem BatchWriteItem PartiQLDelete PartiQLInsert PartiQLUpdate @
      {Destination.Arn} {Destination.Arn}/index/*
AWS::StepFunctions::StateMachine > AWS::StepFunctions::StateMachine role-of-source before-source only Read Read+Write
  Read states: DescribeExecution @ states::execution:{Destination.Name}:*
  Read events: DescribeRule @ events::rule/StepFunctionsGetEventsForStepFunctionsExecutionRule
  Write states: StartExecution @ {Destination.Arn}
  Write states: StopExecution @ states::execution:{Destination.Name}:*
  Write events: PutTargets PutRule @ events::rule/StepFunctionsGetEventsForStepFunctionsExecutionRule
AWS::StepFunctions::StateMachine > AWS::Events::EventBus role-of-source
  Write events: PutEvents @ {Destination.Arn}
AWS::AppSync::DataSource > AWS::DynamoDB::Table role-of-source
  Read dynamodb: GetItem Query Scan BatchGetItem ConditionCheckItem PartiQLSelect @ {Destination.Arn}
      {Destination.Arn}/index/*
  Write dynamodb: PutItem UpdateItem DeleteItem BatchWriteItem PartiQLDelete PartiQLInsert PartiQLUpdate @
      {Destination.Arn} {Destination.Arn}/index/*
AWS::AppSync::DataSource > AWS::Lambda::Function role-of-source
  Write lambda: InvokeAsync InvokeFunction @ {Destination.Arn} {Destination.Arn}:*
AWS::AppSync::DataSource > AWS::Events::EventBus role-of-source
  Write events: PutEvents @ {Destination.Arn}
AWS::AppSync::GraphQLApi > AWS::Lambda::Function permission
  Write appsync appsync::apis/{Source.ResourceId}
`;
