/** Bounds of templates: whoever writes the configuration must not be able to stop notifications with one. */

/** Characters of all template files together. */
export const MAX_TEMPLATE_CHARACTERS = 524_288;
/** Template files of a configuration. */
export const MAX_TEMPLATE_FILES = 100;
/** Of `if`, `range`, `with` and parentheses in one another, as they are written. */
export const MAX_NESTING = 100;
/** Variables that are there at one place: each that is used is looked for among them. */
export const MAX_VARIABLES = 1_000;
/** Of templates that call templates: one that calls itself ends there. */
export const MAX_CALLS = 50;
/** Nodes that are evaluated for one text: a hundred alerts with a hundred labels take some 50,000. */
export const MAX_STEPS = 200_000;
/** The same for all labels of a route together, which are filled in while nothing else is decided. */
export const MAX_LABELS_STEPS = 200_000;
/** The same for all texts of a message together. */
export const MAX_MESSAGE_STEPS = 500_000;
/** Characters of one text, and of any text within it. */
export const MAX_OUTPUT_CHARACTERS = 262_144;
/** Characters of a text that is made or looked at, for one step. */
export const CHARACTERS_PER_STEP = 256;
/** Instructions of a regular expression. */
export const MAX_PROGRAM = 20_000;
/** Instructions times characters of the texts that expressions look at, for one step. */
export const MATCHING_PER_STEP = 1_000;
