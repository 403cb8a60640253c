/** Settings of assets, and which sensors are in them: what they say for a sensor, the nearest asset first. */

import { assetsAround } from "../../formats/assets.ts";
import type { DetectorConfig } from "../../gen/es/telltale/v1/detector_pb.ts";
import { type DetectorSettings, layerSettings } from "../detect/index.ts";
import { AssetTree } from "./asset-tree.ts";

const NOTHING: DetectorSettings = {};
/** Assets of which is remembered what holds in them. */
const REMEMBERED = 10_000;

export class AssetSettings {
  /** Of the assets that have their own. */
  readonly #byAsset = new Map<string, DetectorSettings>();
  /** Where sensors are, be they met or not. */
  readonly #placed = new AssetTree();
  /** What holds in an asset, with those around it: one object for all sensors in it. */
  readonly #inForce = new Map<string, DetectorSettings>();

  set({ asset }: Pick<DetectorConfig, "asset">, settings: DetectorSettings): void {
    if (Object.keys(settings).length > 0) this.#byAsset.set(asset, settings);
    else this.#byAsset.delete(asset);
    this.#inForce.clear();
  }

  /** `asset` "": the sensor is in none. */
  place(sensorId: string, asset: string): void {
    this.#placed.place(sensorId, asset);
  }

  /** The asset of the sensor; "" where it is in none, or in one for which settings never counted. */
  assetOf(sensorId: string): string {
    return this.#placed.of(sensorId) ?? "";
  }

  /** The sensors in the asset and below. */
  sensorsIn(asset: string): Iterable<string> {
    return this.#placed.sensorsIn(asset);
  }

  /** Empty where no asset says anything of the sensor. */
  of(sensorId: string): DetectorSettings {
    if (this.#byAsset.size === 0) return NOTHING;
    const asset = this.#placed.of(sensorId);
    if (asset === undefined) return NOTHING;
    const known = this.#inForce.get(asset);
    if (known !== undefined) return known;
    const found = layerSettings(assetsAround(asset).map((each) => this.#byAsset.get(each)));
    if (this.#inForce.size >= REMEMBERED) this.#inForce.clear();
    this.#inForce.set(asset, found);
    return found;
  }

  forget(sensorId: string): void {
    this.#placed.place(sensorId, "");
  }
}
