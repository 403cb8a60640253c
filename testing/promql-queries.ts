/**
 * Random queries over the samples of promql.ts, made so that only a fault of an evaluator changes an answer: what is not continuous, such as
 * a comparison, is asked of values that come out the same whatever the order of a sum; what ties may decide is put together again.
 */
import fc from "fast-check";
import { START_MS } from "./promql.ts";

type Query = fc.Arbitrary<string>;

const LABELS = ["instance", "job", "code", "le", "version", "on", "nothing"];
const SELECTORS = [
  ...["requests_total", "up", "limit_celsius", "build_info", "latency_bucket", "constant", "nothing", 'up{job="node"}'],
  ...[
    'requests_total{instance=~"a|b"}',
    'up{instance!="a"}',
    '{__name__=~"up|constant"}',
    'latency_bucket{le!="+Inf"}',
  ],
  ...['limit_celsius{job!~"d."}', 'requests_total{code="500",nothing=""}', 'up{nothing=~".+"}'],
];
/** Values of any kind, of which sums depend on the order. */
const FRACTIONS = [
  "temp_celsius",
  "gaps",
  "small",
  "large",
  "growing",
  'temp_celsius{job="node"}',
  'gaps{instance="b"}',
];
const NUMBERS = ["0", "1", "-1", "2", "3.5", "0x1F", "1e3", "20", "Inf", "-Inf", "NaN", "1e22", "-0"];
const RANGES = ["31s", "2m3s", "4m30s", "9m7s"];
const OFFSETS = [
  "",
  "",
  "",
  " offset 1m",
  " offset -47s",
  ` @ ${START_MS / 1_000 + 1_500.5}`,
  " @ start()",
  " @ end() offset 3m",
];

const pick = (texts: readonly string[]): Query => fc.constantFrom(...texts);
/** Puts random parts where their numbers stand: `$0`, `$1` and so on. */
const of = (template: string, ...parts: Query[]): Query =>
  fc.tuple(...parts).map((texts) => template.replace(/\$(\d)/g, (_, i) => texts[Number(i)]!));
const either = (...ways: Query[]): Query => fc.oneof(...ways);

const labels = fc.subarray(LABELS, { maxLength: 3 }).map((names) => names.join(", "));
const by = either(fc.constant(""), of("by ($0)", labels), of("without ($0)", labels));
const offset = pick(OFFSETS);
const range = pick(RANGES);
const matching = either(
  ...[fc.constant(""), of("on($0)", labels), of("ignoring($0)", labels)],
  of(
    "$0($1) $2($3)",
    pick(["on", "ignoring"]),
    labels,
    pick(["group_left", "group_right"]),
    pick(["", "", "version", "code"]),
  ),
);
const sets = either(fc.constant(""), of("on($0)", labels), of("ignoring($0)", labels));
const comparison = pick(["==", "!=", "<", ">", "<=", ">="]);
const bool = pick(["", " bool"]);

/** Scalars, also such as depend on the step. */
const scalar = either(
  ...[
    pick(NUMBERS),
    pick(NUMBERS),
    of("scalar($0$1)", pick(SELECTORS), offset),
    of("-($0 + $1)", pick(NUMBERS), pick(NUMBERS)),
  ],
  of("($0 $1 bool $2)", pick(NUMBERS), comparison, pick(NUMBERS)),
);

/** Vectors of whole numbers, NaN and infinities: sums of them are exact. */
function whole(depth: number): Query {
  const leaf = either(of("$0$1", pick(SELECTORS), offset), pick(["vector(1)", "-up", "absent(nothing)", "absent(up)"]));
  if (depth === 0) return leaf;
  const inner = whole(depth - 1);
  const overTime = pick(["sum", "min", "max", "count", "last", "present"].map((name) => `${name}_over_time`));
  return either(
    leaf,
    of("$0 $1 ($2)", pick(["sum", "min", "max", "count", "group"]), by, inner),
    of("($0) $1 $2 ($3)", inner, pick(["+", "-"]), matching, inner),
    of("$0 $1 $2 $3", pick(SELECTORS), pick(["*", "+", "-"]), matching, pick(SELECTORS)),
    of("($0) $1$2 $3 ($4)", inner, comparison, bool, matching, inner),
    of("($0) $1$2 $3", inner, comparison, bool, scalar),
    of("$0 $1$2 ($3)", scalar, comparison, bool, inner),
    of("($0) $1 $2 ($3)", inner, pick(["and", "or", "unless"]), sets, inner),
    of("$0 $1 $2 or $3", pick(SELECTORS), pick(["and", "unless"]), pick(SELECTORS), inner),
    of("$0($1[$2]$3)", overTime, pick(SELECTORS), range, offset),
    of("$0(($1)[$2:$3]$4)", overTime, inner, range, pick(["", "37s", "1m11s"]), offset),
    of("$0($1[$2])", pick(["changes", "resets", "absent_over_time"]), pick(SELECTORS), range),
    of("$0($1)", pick(["abs", "ceil", "floor", "sgn", "round", "absent", "vector(1) + abs", "-"]), inner),
    of("round($0, $1)", inner, pick(["1", "2", "0", "-1", "Inf"])),
    of("clamp($0, $1, $2)", inner, scalar, scalar),
    of("$0($1, $2)", pick(["clamp_min", "clamp_max"]), inner, scalar),
    of(
      "$0($1($2, $3))",
      pick(["sum", "count", "max"]),
      pick(["topk", "bottomk"]),
      pick(["-1", "0", "1", "3.7", "100", "NaN"]),
      inner,
    ),
    of('count_values $0 ("$1", $2)', by, pick(["v", "job", "0x", "le"]), inner),
    of(
      'label_replace($0, "$1", "$2", "$3", "$4")',
      inner,
      pick(LABELS),
      pick(["$1", "x-$2", "", "$name", `\${1}y$$`]),
      pick(LABELS),
      pick(["(.*)", "a|b", "(?P<name>.)(.*)", "", ".+"]),
    ),
    of(
      'label_join($0, "$1", "$2", $3)',
      inner,
      pick(["both", "instance", "__name__"]),
      pick(["", "-"]),
      pick(['"job", "instance"', '"nothing"', '"job"']),
    ),
  );
}

/** The same values whatever the order of series, but of all kinds. */
function fraction(depth: number): Query {
  const inner = whole(depth);
  const leaf = of("$0$1", pick(FRACTIONS), offset);
  return either(
    leaf,
    of("($0) $1 $2 ($3)", inner, pick(["/", "%", "^"]), matching, inner),
    of("($0) $1 $2", inner, pick(["/", "%", "^", "*"]), scalar),
    of("$0 $1 $2", scalar, pick(["/", "%", "^", "*", "+", "-"]), leaf),
    of("-$0 $1 $2", pick(FRACTIONS), pick(["^", "*", "+", "/"]), scalar),
    of("$0 $1 $2 ^ $3", scalar, pick(["*", "-", "^"]), pick(SELECTORS), scalar),
    of("$0 $1$2 $3", leaf, comparison, bool, scalar),
    of("$0 $1 ($2)", pick(["min", "max", "count"]), by, leaf),
    of("$0_over_time($1[$2]$3)", pick(["min", "max", "last", "count", "present"]), pick(FRACTIONS), range, offset),
    of("round($0, $1)", leaf, pick(["0.25", "0.5", "10"])),
    // With @ and offset it forgets the offset.
    of("timestamp($0$1)", pick(FRACTIONS), pick(["", " offset 1m", " @ start()"])),
    of(
      "$0($1)",
      pick(["minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"]),
      pick(SELECTORS),
    ),
    inner,
  );
}

/** All else: values near to each other. */
export function anyQuery(depth: number): Query {
  const given = fraction(depth);
  const smooth = either(
    of("$0 $1 ($2)", pick(["sum", "avg"]), by, given),
    // Of infinities versions differ.
    of("$0 $1 ($2)", pick(["stddev", "stdvar"]), by, pick(FRACTIONS)),
    of("quantile $0 ($1, $2)", by, scalar, given),
    of(
      "histogram_quantile($0, $1)",
      scalar,
      pick([
        "latency_bucket",
        "sum by (le) (latency_bucket)",
        "rate(latency_bucket[4m])",
        "latency_bucket > 10",
        "latency_bucket / 0",
        "-latency_bucket",
        'label_replace(latency_bucket, "le", "$1", "instance", "(a)")',
      ]),
    ),
    of(
      "$0($1[$2]$3)",
      pick(["rate", "increase", "irate"]),
      pick(["requests_total", "latency_bucket", "constant", "up"]),
      range,
      offset,
    ),
    of(
      "$0($1[$2]$3)",
      pick(["delta", "idelta", "deriv"]),
      pick([...FRACTIONS, ...SELECTORS.slice(0, 6)]),
      range,
      offset,
    ),
    of("predict_linear($0[$1], $2)", pick(FRACTIONS), range, pick(["0", "600", "-1"])),
    of("$0_over_time($1[$2]$3)", pick(["avg", "sum", "stddev", "stdvar"]), pick(FRACTIONS), range, offset),
    of("$0_over_time(($1)[$2:$3])", pick(["avg", "sum"]), given, range, pick(["", "37s"])),
    of("quantile_over_time($0, ($1)[$2:37s])", scalar, given, range),
    of(
      "$0($1)",
      pick([
        "exp",
        "ln",
        "log2",
        "log10",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
        "deg",
        "rad",
      ]),
      given,
    ),
  );
  return either(
    given,
    smooth,
    of("$0 + $1", smooth, scalar),
    of("max $0 ($1)", by, smooth),
    of("- $0 or $1", smooth, given),
  );
}
