import type { Random } from "./random.ts";

/** Series of many kinds for training the trunk: none is of the catalogue, whose seeds and shapes stay unseen. */
export const KINDS: readonly string[] = [
  "seasonal",
  "walk",
  "resonant",
  "square",
  "bursts",
  "sawtooth",
  "counts",
  "mixed",
];

/** `length` readings of a kind, with quiet and noisy stretches. */
export function trainingSeries(kind: string, length: number, random: Random): Float64Array {
  const out = new Float64Array(length);
  const period = random.between(8, 300);
  const second = random.between(4, 40);
  const memory = random.between(0, 0.98);
  const noiseSize = random.between(0.02, 1);
  const duty = random.between(0.1, 0.9);
  const pull = random.between(0.001, 0.05);
  const angle = (2 * Math.PI) / random.between(5, 60);
  const damping = random.between(0.8, 0.99);
  let noise = 0;
  let walk = 0;
  let before = 0;
  let burst = 0;
  for (let i = 0; i < length; i++) {
    const shock = random.normal();
    noise = memory * noise + Math.sqrt(1 - memory * memory) * shock;
    const turn = (2 * Math.PI * i) / period;
    const saw = (i / period) % 1;
    burst = random.next() < 0.02 ? random.between(1, 10) : burst * 0.7;
    const older = before;
    switch (kind) {
      case "seasonal":
        out[i] = 2 * Math.sin(turn) + 0.5 * Math.sin((2 * Math.PI * i) / second) + noiseSize * noise;
        break;
      case "walk":
        walk += shock - pull * walk;
        out[i] = walk;
        break;
      case "resonant":
        before = walk;
        walk = 2 * damping * Math.cos(angle) * walk - damping * damping * older + shock;
        out[i] = walk;
        break;
      case "square":
        out[i] = (saw < duty ? 3 : 0) + noiseSize * 0.3 * noise;
        break;
      case "bursts":
        out[i] = burst + 0.2 * Math.abs(noise);
        break;
      case "sawtooth":
        out[i] = 4 * saw + noiseSize * 0.3 * noise;
        break;
      case "counts":
        out[i] = Math.floor(3 + 2 * Math.sin(turn) + Math.abs(noise) * 2);
        break;
      default:
        walk += 0.1 * shock;
        out[i] = walk + Math.sin(turn) + noiseSize * noise + (random.next() < 0.002 ? 8 : 0);
    }
  }
  return out;
}
