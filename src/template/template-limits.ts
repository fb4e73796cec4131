/**
 * The limits of a template's text and tree. CloudFormation's quotas:
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
 */

/** Bytes of a template in the request itself. */
export const MAX_INLINE_BYTES = 51_200;

/** Bytes of a template in S3. */
export const MAX_TEMPLATE_BYTES = 1_000_000;

/** Levels of maps and lists. Ours: deep enough for any OpenAPI document, and safe for code that walks the tree. */
export const MAX_DEPTH = 200;

/** Nodes that the aliases of a YAML template may add. Ours: AWS refuses aliases. */
export const MAX_ALIAS_NODES = 100_000;

/** Tokens of a YAML template. Ours: real templates of 1 MB have about 200,000. */
export const MAX_YAML_TOKENS = 300_000;

/** Values of a template: maps, lists and scalars. Ours: real templates of 1 MB have about 60,000. */
export const MAX_NODES = 200_000;

/** Problems that are reported for a template. Ours: more are not read. */
export const MAX_PROBLEMS = 1000;

/**
 * Characters that the functions, or the loops, of a template may make; an item of a list counts as ten. Ours: nested functions
 * can multiply a text any number of times. On AWS the result may have 1 MB.
 */
export const MAX_MADE_CHARACTERS = 5_000_000;

/** Problems that get a suggestion where all names of the template are compared. Ours. */
export const MAX_SUGGESTIONS = 50;

/** Conditions that refer to each other in a chain. Ours. */
export const MAX_CONDITION_CHAIN = 500;
