import { createScoreBatch, type Detector, type Explanation, type ScoreBatch } from "./detector.ts";
import { FEATURES, type Feature, PARTS, type Part } from "./kernel/features.ts";
import { FORMER_STATES, ROWS, STATE_VERSION, WARM_READINGS } from "./kernel/fields.ts";
import { offsetOf } from "./kernel/layout.ts";
import { CHUNK_SENSORS } from "./memory.ts";
import { Profiles } from "./profiles.ts";
import { REASON_COLD_START, REASON_FORECASTER } from "./reasons.ts";
import { type DetectorSettings, type LimitsAhead, typeNumber } from "./settings.ts";
import { Shard } from "./shard.ts";
import { Silence, type TickObserver } from "./silence.ts";
import { stepOutside } from "./step.ts";
import { KernelTrunk, type TrunkRuntime } from "./trunk.ts";

/** Sensors in one instance of the kernel, whose memory ends at 4 GiB: 1 GB. */
const SHARD_SENSORS = 262_144;

/** What the committed model was called with the rules of before: the weights are the same, so its state goes on. */
const FORMER_NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ["telltale-9", ["telltale-8", "telltale-7", "telltale-6", "telltale-5", "telltale-4", "telltale-3", "telltale-2"]],
]);

const MAINTENANCE_FROM = offsetOf("sensor", "maintenanceFrom") >>> 3;
const MAINTENANCE_UNTIL = offsetOf("sensor", "maintenanceUntil") >>> 3;
/** Up to the last of REASONS that votes. */
const VOTERS = 1 + Math.max(...FEATURES.map(({ reason }) => reason));
/** A cold-start factor that is hardly above 1. */
const STEADY_FACTOR = 1.1;

/** What there is to say of a reading that was not judged. */
const UNJUDGED = { threshold: Number.NaN, total: 0, muted: false, wakes: false } as const;

export interface DetectorOptions {
  /** Confidence from which a reading is anomalous, 0.5 to 0.9999 (MODEL_ACCURACY_THRESHOLD). Default 0.95. */
  readonly threshold?: number;
  /** Alarm budget on normal data. Default 0.1. */
  readonly alarmsPerSensorDay?: number;
  /** Only these may speak. Default: those that the model names, or all. */
  readonly parts?: readonly Part[];
  /** Sensors in one instance of the kernel; for tests. A multiple of the sensors in a chunk. */
  readonly shardSensors?: number;
}

/** The ensemble: sensors, settings, silence, explanations, saving and loading around the scoring kernel. */
export class EnsembleDetector implements Detector {
  readonly modelVersion: string;
  readonly stateVersion: number = STATE_VERSION;
  readonly migratedStates: readonly number[] = FORMER_STATES;
  readonly formerModels: readonly string[];
  readonly chunkSensors: number = CHUNK_SENSORS;
  readonly #trunk: TrunkRuntime;
  readonly #options: DetectorOptions;
  readonly #shardSensors: number;
  readonly #shards: Shard[] = [];
  readonly #silence = new Silence({
    arrived: (slot, nowUs) => {
      const allowedUs = this.#shardOf(slot).kernel.call.arrived(this.#address(slot), nowUs);
      return this.#isOff(slot) ? Number.POSITIVE_INFINITY : allowedUs;
    },
    interrupted: (slot) => this.#shardOf(slot).kernel.call.forgetArrival(this.#address(slot)),
  });
  readonly #profiles: Profiles;
  /** By slot, as far as it was asked for since settings changed; `false`: none. */
  #limitsAhead: (LimitsAhead | false | undefined)[] = [];
  /** Rows of a batch on their way through the kernel. */
  readonly #rows = new Int32Array(ROWS);
  #sensors = 0;

  constructor(trunk: TrunkRuntime, options: DetectorOptions = {}) {
    this.#trunk = trunk;
    this.#options = options;
    this.#shardSensors = options.shardSensors ?? SHARD_SENSORS;
    this.#profiles = new Profiles(trunk.model.priors, options.alarmsPerSensorDay);
    this.modelVersion = `${trunk.model.name}+${trunk.runtime}`;
    const former = FORMER_NAMES.get(trunk.model.name) ?? [trunk.model.name];
    this.formerModels = former.map((name) => `${name}+${trunk.runtime}`);
    this.#shards.push(this.#newShard());
  }

  get bytesPerSensor(): number {
    return this.#shards[0]!.bytesPerSensor;
  }

  get sensors(): number {
    return this.#sensors;
  }

  reserve(sensors: number): void {
    for (let from = 0; from < sensors; from += this.#shardSensors)
      this.#shardFor(from).reserve(Math.min(sensors - from, this.#shardSensors));
  }

  addSensor(sensorType: string, _unit: string, slot: number = this.#sensors): number {
    if (slot === this.#sensors) this.#sensors++;
    this.#shardFor(slot).add(slot % this.#shardSensors, typeNumber(sensorType));
    return slot;
  }

  removeSensor(slot: number): void {
    this.configureSensor(slot, {});
    this.#limitsAhead[slot] = undefined;
    this.#shardOf(slot).clear(slot % this.#shardSensors);
    this.#silence.forget(slot);
  }

  configure(sensorType: string, settings: DetectorSettings, inherits: boolean = false): void {
    const changed = this.#profiles.configure(sensorType, settings, inherits);
    this.#limitsAhead = [];
    for (const shard of this.#shards) shard.renewProfiles(changed);
  }

  configurePlatform(settings: DetectorSettings): void {
    this.#profiles.configurePlatform(settings);
    for (const shard of this.#shards) shard.renewProfiles(undefined);
  }

  configureSensor(slot: number, settings: DetectorSettings): void {
    const shard = this.#shardOf(slot);
    const { has, had } = this.#profiles.configureSensor(slot, settings);
    this.#limitsAhead[slot] = undefined;
    if (has || had) shard.renewOwn(slot % this.#shardSensors, has);
  }

  label(slot: number, correct: boolean, count: number, reason: number = 0): void {
    this.#add(slot, correct ? "labelledTrue" : "labelledFalse", 0, count);
    const speaksFor = (known: Feature) => known.reason === reason || known.reasonOfStates === reason;
    const feature = reason === 0 ? -1 : FEATURES.findIndex(speaksFor);
    if (feature >= 0) this.#add(slot, "netLabels", feature, correct ? -count : count);
  }

  maintain(slot: number, fromUs: number, untilUs: number): void {
    this.#set(slot, "maintenanceFrom", fromUs);
    this.#set(slot, "maintenanceUntil", untilUs);
  }

  isMaintained(slot: number, timeUs: number): boolean {
    const { f64 } = this.#shardOf(slot).views;
    const at = this.#address(slot) >>> 3;
    return timeUs >= f64[at + MAINTENANCE_FROM]! && timeUs < f64[at + MAINTENANCE_UNTIL]!;
  }

  tick(nowUs: number, observer?: TickObserver): number[] {
    // One whose deadline was set before it was turned off is not silent either.
    return this.#silence.tick(nowUs, this.sensors, observer).filter((slot) => !this.#isOff(slot));
  }

  resume(tickedUs: number): void {
    this.#silence.resume(tickedUs);
  }

  explain(slot: number, timeUs: number, value: number): Explanation {
    const shard = this.#shardOf(slot);
    const { kernel } = shard;
    const at = shard.address(slot % this.#shardSensors);
    const before = kernel.views.u8.slice(at, at + shard.bytesPerSensor);
    const batch = createScoreBatch(1);
    batch.length = 1;
    batch.slot[0] = slot;
    batch.timeUs[0] = timeUs;
    batch.value[0] = value;
    const readings = this.#get(slot, "readings");
    kernel.ask();
    this.#rows[0] = 0;
    this.#run(shard, 1, batch);
    kernel.views.u8.set(before, at);
    const votes = this.#votes(shard, readings);
    const prior = votes.coldStart ? this.#profiles.prior(this.#get(slot, "type")).sensorType : undefined;
    const { coldStartFactor } = kernel.call;
    const steadyReadings = firstBelow(coldStartFactor, STEADY_FACTOR);
    return { batch, ...votes, readings, coldStartFactor: coldStartFactor(readings + 1), steadyReadings, prior };
  }

  judgesRate(slot: number): boolean {
    return this.#get(slot, "byRate") === 1;
  }

  inStateSince(slot: number): number {
    return this.#get(slot, "statesSince") === 0 ? Number.NaN : this.#get(slot, "stateFrom");
  }

  limitsAhead(slot: number): LimitsAhead | undefined {
    const known = this.#limitsAhead[slot];
    if (known !== undefined) return known || undefined;
    const found = this.#profiles.limitsAhead(this.#get(slot, "type"), slot);
    this.#limitsAhead[slot] = found ?? false;
    return found;
  }

  seasonal(slot: number, timeUs: number): number {
    return this.#shardOf(slot).kernel.call.seasonalAt(this.#address(slot), timeUs);
  }

  /** Votes of the detectors on the reading just judged; undefined where it was not judged. */
  #votes(shard: Shard, readings: number) {
    const rawScore = new Float64Array(VOTERS);
    const weight = new Float64Array(VOTERS);
    const votes = shard.kernel.votes();
    if (votes === undefined) return { rawScore, weight, ...UNJUDGED, coldStart: readings < WARM_READINGS };
    FEATURES.forEach((feature, k) => {
      const reason = votes.states ? (feature.reasonOfStates ?? feature.reason) : feature.reason;
      rawScore[reason] = votes.score[k]!;
      weight[reason] = votes.weight[k]!;
    });
    if (votes.coldStart) rawScore[REASON_COLD_START] = votes.coldStartScore;
    // What the forecaster says of readings that stay or come back outside its band.
    if (votes.outside > rawScore[REASON_FORECASTER]!) rawScore[REASON_FORECASTER] = votes.outside;
    const { threshold, total, muted, wakes, coldStart } = votes;
    return { rawScore, weight, threshold, total, muted, wakes, coldStart };
  }

  score(batch: ScoreBatch): void {
    for (let i = 0; i < batch.length; i++) {
      const slot = batch.slot[i]!;
      if (slot < 0 || slot >= this.#sensors) throw new RangeError(unknownSlot(slot, this.#sensors));
      this.#silence.heard(slot);
    }
    if (!(this.#trunk instanceof KernelTrunk)) for (const round of splitRounds(batch)) this.#scoreRows(batch, round);
    else this.#scoreRows(batch, undefined);
  }

  /** Scores the given rows, or all, shard by shard: readings of sensors in two of them do not meet. */
  #scoreRows(batch: ScoreBatch, given: readonly number[] | undefined): void {
    const rows = this.#rows;
    const last = given?.length ?? batch.length;
    this.#shards.forEach((shard, number) => {
      let count = 0;
      for (let k = 0; k < last; k++) {
        const row = given === undefined ? k : given[k]!;
        if (this.#shards.length > 1 && Math.floor(batch.slot[row]! / this.#shardSensors) !== number) continue;
        rows[count++] = row;
        if (count < ROWS) continue;
        this.#run(shard, count, batch);
        count = 0;
      }
      if (count > 0) this.#run(shard, count, batch);
    });
  }

  /** Takes the first `count` of #rows through the kernel. */
  #run(shard: Shard, count: number, batch: ScoreBatch): void {
    const { views, kernel } = shard;
    const rows = this.#rows;
    const { sensor, time, value } = views.columns;
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      sensor[i] = shard.address(batch.slot[row]! % this.#shardSensors);
      time[i] = batch.timeUs[row]!;
      value[i] = batch.value[row]!;
    }
    if (this.#trunk instanceof KernelTrunk) kernel.call.score(count);
    else stepOutside(kernel, this.#trunk, count);
    const { expected, band, signal, confidence, score, anomaly, reason } = views.columns;
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      batch.expected[row] = expected[i]!;
      batch.band[row] = band[i]!;
      batch.signal[row] = signal[i]!;
      batch.confidence[row] = confidence[i]!;
      batch.score[row] = score[i]!;
      batch.anomaly[row] = anomaly[i]!;
      batch.reason[row] = reason[i]!;
    }
  }

  #isOff(slot: number): boolean {
    return this.#shardOf(slot).isOff(slot % this.#shardSensors);
  }

  saveChunk(chunk: number): Uint8Array {
    const from = chunk * CHUNK_SENSORS;
    const count = Math.min(CHUNK_SENSORS, this.sensors - from);
    this.#silence.save(from, count, (slot, deadlineUs, tickedUs) => {
      this.#set(slot, "deadline", deadlineUs);
      this.#set(slot, "tickedAt", tickedUs);
    });
    return this.#shardOf(from).save((from % this.#shardSensors) / CHUNK_SENSORS);
  }

  loadChunk(chunk: number, bytes: Uint8Array, sensors: number, stateVersion: number = STATE_VERSION): void {
    const from = chunk * CHUNK_SENSORS;
    this.#shardFor(from).load((from % this.#shardSensors) / CHUNK_SENSORS, bytes, sensors, stateVersion);
    this.#sensors = Math.max(this.#sensors, from + sensors);
    for (let slot = from; slot < from + sensors; slot++) {
      this.#silence.restore(slot, this.#get(slot, "deadline"), this.#get(slot, "tickedAt"));
    }
  }

  /** The shard of a slot. Throws a RangeError where there is no such sensor. */
  #shardOf(slot: number): Shard {
    const shard = this.#shards[Math.floor(slot / this.#shardSensors)];
    if (shard === undefined) throw new RangeError(unknownSlot(slot, this.#sensors));
    return shard;
  }

  /** The same, made where the slot is its first. */
  #shardFor(slot: number): Shard {
    while (this.#shards.length * this.#shardSensors <= slot) this.#shards.push(this.#newShard());
    return this.#shardOf(slot);
  }

  #newShard(): Shard {
    const { model } = this.#trunk;
    const parts = this.#options.parts ?? model.parts ?? PARTS;
    const firstSlot = this.#shards.length * this.#shardSensors;
    const shard = new Shard(model, (type, sensor) =>
      this.#profiles.of(type, sensor === undefined ? undefined : firstSlot + sensor),
    );
    shard.kernel.setup(
      this.#options.threshold ?? 0.95,
      FEATURES.map(({ group }) => parts.includes(group)),
    );
    return shard;
  }

  #address(slot: number): number {
    return this.#shardOf(slot).address(slot % this.#shardSensors);
  }

  #cell(slot: number, name: string): { f64: Float64Array; at: number } {
    const shard = this.#shardOf(slot);
    return { f64: shard.views.f64, at: (this.#address(slot) + offsetOf("sensor", name)) >>> 3 };
  }

  #get(slot: number, name: string): number {
    const { f64, at } = this.#cell(slot, name);
    return f64[at]!;
  }

  #set(slot: number, name: string, value: number): void {
    const { f64, at } = this.#cell(slot, name);
    f64[at] = value;
  }

  #add(slot: number, name: string, index: number, value: number): void {
    const { f64, at } = this.#cell(slot, name);
    f64[at + index] = f64[at + index]! + value;
  }
}

function unknownSlot(slot: number, sensors: number): string {
  return `slot ${slot} is not among the ${sensors} sensors`;
}

/** Rows of a batch in rounds: no round holds two readings of a sensor, and each sensor's come in order. */
function splitRounds(batch: ScoreBatch): number[][] {
  const rounds: number[][] = [];
  const seen = new Map<number, number>();
  for (let i = 0; i < batch.length; i++) {
    const round = seen.get(batch.slot[i]!) ?? 0;
    seen.set(batch.slot[i]!, round + 1);
    if (round === rounds.length) rounds.push([]);
    rounds[round]!.push(i);
  }
  return rounds;
}

/** The first whole number at which a falling function is not above a limit. */
function firstBelow(falling: (n: number) => number, limit: number): number {
  let [low, high] = [0, 1];
  while (falling(high) > limit) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (falling(middle) > limit) low = middle;
    else high = middle;
  }
  return high;
}
