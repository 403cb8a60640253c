/** Which sensors are in assets: those of one are found without going through all, of which there may be a million, for each of 10,000 assets. */
import { assetsAround } from "../../formats/assets.ts";

interface Node {
  /** Directly in it. */
  readonly sensors: Set<string>;
  /** Assets directly below, by their paths. */
  readonly below: Set<string>;
}

export class AssetTree {
  readonly #placed = new Map<string, string>();
  /** Assets with sensors, and those around them. */
  readonly #nodes = new Map<string, Node>();

  /** The asset that the sensor is in; undefined: none. */
  of(sensorId: string): string | undefined {
    return this.#placed.get(sensorId);
  }

  /** `asset` "": the sensor is in none. */
  place(sensorId: string, asset: string): void {
    const before = this.#placed.get(sensorId);
    if (before === asset) return;
    if (before !== undefined) this.#leave(sensorId, before);
    if (asset === "") this.#placed.delete(sensorId);
    else {
      this.#placed.set(sensorId, asset);
      this.#nodeOf(asset).sensors.add(sensorId);
    }
  }

  /** The sensors in the asset and below. */
  *sensorsIn(asset: string): Generator<string> {
    const node = this.#nodes.get(asset);
    if (node === undefined) return;
    yield* node.sensors;
    for (const each of node.below) yield* this.sensorsIn(each);
  }

  #nodeOf(asset: string): Node {
    const known = this.#nodes.get(asset);
    if (known !== undefined) return known;
    const made = { sensors: new Set<string>(), below: new Set<string>() };
    this.#nodes.set(asset, made);
    const [, around] = assetsAround(asset);
    if (around !== undefined) this.#nodeOf(around).below.add(asset);
    return made;
  }

  /** Nothing is kept of assets without sensors. */
  #leave(sensorId: string, asset: string): void {
    this.#nodes.get(asset)!.sensors.delete(sensorId);
    let left: string | undefined;
    for (const each of assetsAround(asset)) {
      const { sensors, below } = this.#nodes.get(each)!;
      if (left !== undefined) below.delete(left);
      if (sensors.size + below.size > 0) return;
      this.#nodes.delete(each);
      left = each;
    }
  }

  /** Assets of which something is kept. */
  get size(): number {
    return this.#nodes.size;
  }
}
