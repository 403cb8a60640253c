/**
 * A source for Telegraf's input execd: lines of line protocol that count, until the standard input ends. One of another series among them is
 * of a year ahead, which the platform refuses.
 */
/** Telegraf sends a request of OTLP for each time. */
const PACE_MS = 100;
const REFUSED_AT = 5;
const YEAR_MS = 31_536_000_000;

let count = 0;
let timeMs = 0;
const counting = setInterval(() => {
  // Two ticks that a busy machine holds up may come in one millisecond, and would be two values for one time.
  timeMs = Math.max(timeMs + 1, Date.now());
  const line = `press parts=${++count}i ${timeMs}000000\n`;
  const refused = count === REFUSED_AT ? `ahead parts=1i ${timeMs + YEAR_MS}000000\n` : "";
  process.stdout.write(refused + line);
}, PACE_MS);
process.stdin.resume().on("end", () => clearInterval(counting));
