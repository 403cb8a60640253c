/** How bad: decided by the anomaly score alone, never by the confidence. Numbers as in the contract's Severity enum. */
export const SEVERITY_LOW = 1;
export const SEVERITY_MEDIUM = 2;
export const SEVERITY_HIGH = 3;
export const SEVERITY_CRITICAL = 4;
export const SEVERITY_NAMES: readonly string[] = ["", "low", "medium", "high", "critical"];

/** Severity of an anomaly score in steps of 1e-4 (0..10000); 0 where the reading is no anomaly (score 0). */
export function severityOf(score: number): number {
  if (score >= 9000) return SEVERITY_CRITICAL;
  if (score >= 8000) return SEVERITY_HIGH;
  if (score >= 6000) return SEVERITY_MEDIUM;
  return score > 0 ? SEVERITY_LOW : 0;
}
