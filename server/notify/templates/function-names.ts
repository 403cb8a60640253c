/** Functions that templates may call: Go's own, and Alertmanager's. */
export const FUNCTION_NAMES: ReadonlySet<string> = new Set([
  ...["and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge"],
  ...["len", "index", "slice", "print", "println", "printf", "html", "urlquery"],
  ...["toUpper", "toLower", "title", "trimSpace", "join", "match", "reReplaceAll", "stringSlice"],
  ...["safeHtml", "safeUrl", "urlUnescape", "toJson", "date", "tz", "now", "since", "humanizeDuration"],
  ...["toDate", "mustToDate", "addDuration", "base64encode", "base64decode", "list", "append", "dict", "routeLabels"],
]);

/** What Go has beside them. */
export const LATER_FUNCTIONS: ReadonlySet<string> = new Set(["call", "js"]);
