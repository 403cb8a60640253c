/** Limits of queries, each with its reason. */

/** Characters of a query. Prometheus' own dashboards have a tenth. */
export const MAX_QUERY_CHARACTERS = 16_384;
/** How deep a query is nested. */
export const MAX_QUERY_DEPTH = 100;
/** Steps of a range, as in Prometheus: more than a screen has, fewer than the memory of a browser. */
export const MAX_QUERY_STEPS = 11_000;
/** Steps of a subquery. */
export const MAX_SUBQUERY_STEPS = 50_000;
/** Series that one selector may choose, and that an answer has. */
export const MAX_QUERY_SERIES = 10_000;
/** Samples that one query may load: 80 MB. */
export const MAX_QUERY_SAMPLES = 5_000_000;
/** Values of a query in memory at once: series times steps. */
export const MAX_QUERY_VALUES = 5_000_000;
/** Samples that functions of ranges look at in one query, each as often as it is looked at: some seconds. */
export const MAX_QUERY_VISITS = 1_000_000_000;
