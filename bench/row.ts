/** A line of what a benchmark prints. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly beside: Record<string, unknown>;
}

export const hundredths = (of: number): number => Math.round(of * 100) / 100;
