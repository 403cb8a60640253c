import type { TypePrior } from "./kernel/trunk-model.ts";
import {
  DEFAULT_BUDGET,
  type DetectorSettings,
  type LimitsAhead,
  layerSettings,
  resolveSettings,
  type TypeSettings,
  typeNumber,
} from "./settings.ts";
import type { Profile } from "./shard.ts";

/** A prior and the type it is of; "" for types that the model does not know. */
export interface NamedPrior extends TypePrior {
  readonly sensorType: string;
}
const ANY_TYPE = typeNumber("");
const NO_PRIOR: NamedPrior = { sensorType: "", reach: 1 };

/** Settings by layer and priors by type: what the profile of a type, or of a sensor with settings of its own, follows from. */
export class Profiles {
  readonly #budget: number;
  /** Priors of the types that the model knows, by type number. */
  readonly #priors: ReadonlyMap<number, NamedPrior>;
  /** Settings of the platform. */
  #ofPlatform: DetectorSettings = {};
  /** Settings of all types. */
  #ofAll: DetectorSettings = {};
  /** Settings of the types that have their own, by type number. */
  readonly #byType = new Map<number, TypeSettings>();
  /** Settings of the sensors that have their own, by slot. */
  readonly #bySlot = new Map<number, DetectorSettings>();

  /** @param priors by sensor type */
  constructor(priors: Readonly<Record<string, TypePrior>> = {}, budget: number = DEFAULT_BUDGET) {
    const named = Object.entries(priors).map(([sensorType, { reach }]) => ({ sensorType, reach }));
    this.#priors = new Map(named.map((prior) => [typeNumber(prior.sensorType), prior]));
    this.#budget = budget;
  }

  configurePlatform(settings: DetectorSettings): void {
    this.#ofPlatform = settings;
  }

  /** Answers with the number of the type whose profiles have changed; undefined: all have. */
  configure(sensorType: string, settings: DetectorSettings, inherits: boolean): number | undefined {
    if (sensorType === "") {
      this.#ofAll = settings;
      return undefined;
    }
    const type = typeNumber(sensorType);
    if (inherits && isEmpty(settings)) this.#byType.delete(type);
    else this.#byType.set(type, { settings, inherits });
    return type;
  }

  /** Answers whether the slot has settings of its own now, and whether it had any before. */
  configureSensor(slot: number, settings: DetectorSettings): { readonly has: boolean; readonly had: boolean } {
    const had = this.#bySlot.delete(slot);
    const has = !isEmpty(settings);
    if (has) this.#bySlot.set(slot, settings);
    return { has, had };
  }

  /** Of a type, or of the sensor of that type in the slot. */
  of(type: number, slot: number | undefined): Profile & LimitsAhead {
    const own = slot === undefined ? undefined : this.#bySlot.get(slot);
    const typed = this.#byType.get(type);
    const ofAll = typed === undefined || typed.inherits ? this.#ofAll : undefined;
    const settings = resolveSettings(layerSettings([own, typed?.settings, ofAll, this.#ofPlatform]), this.#budget);
    return { ...settings, reach: this.prior(type).reach };
  }

  /** What early alerts of the sensor of that type in the slot are about; undefined where there are none. */
  limitsAhead(type: number, slot: number): LimitsAhead | undefined {
    const { rangeMin, rangeMax, earlyAlertUs, sides } = this.of(type, slot);
    const isLimited = Number.isFinite(rangeMin) || Number.isFinite(rangeMax);
    return isLimited && earlyAlertUs > 0 && sides !== 0 ? { rangeMin, rangeMax, earlyAlertUs } : undefined;
  }

  /** Prior of a type: its own, or that of types that the model does not know. */
  prior(type: number): NamedPrior {
    return this.#priors.get(type) ?? this.#priors.get(ANY_TYPE) ?? NO_PRIOR;
  }
}

function isEmpty(settings: DetectorSettings): boolean {
  return Object.values(settings).every((value) => value === undefined);
}
