/** Bounds of alerts that other programs send. */

/** That are open, in all of an installation: the process that notifies keeps them all in memory. Further ones are refused. */
export const MAX_OPEN_RECEIVED_ALERTS = 10_000;
/** Labels of an alert, and annotations. */
export const MAX_RECEIVED_LABELS = 100;
/** Characters of the name of a label or an annotation: a silence has to name it. */
export const MAX_RECEIVED_NAME = 100;
/** Characters of a label's value: a silence has to name it. */
export const MAX_RECEIVED_VALUE = 1_000;
/** Characters of an annotation. */
export const MAX_RECEIVED_ANNOTATION = 8_000;
/** Bytes of labels, annotations and URL together: so many alerts as may be open are 160 MB at the most. */
export const MAX_RECEIVED_BYTES = 16_384;
