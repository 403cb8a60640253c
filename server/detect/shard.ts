import { Calendars } from "./calendars.ts";
import { FORMER_STATES } from "./kernel/fields.ts";
import { Kernel, type Views } from "./kernel/kernel.ts";
import { offsetOf, type SensorLayout, STRUCTURES, sensorLayout } from "./kernel/layout.ts";
import type { TrunkModel } from "./kernel/trunk-model.ts";
import { CHUNK_MASK, CHUNK_SENSORS, CHUNK_SHIFT } from "./memory.ts";
import type { Settings } from "./settings.ts";

const LINE_BYTES = 64;
const TYPE = offsetOf("sensor", "type") >>> 3;
const PROFILE = offsetOf("sensor", "profile") >>> 2;
const CALENDAR = offsetOf("profile", "calendar") >>> 2;
const SIDES = offsetOf("profile", "sides") >>> 2;

/** Settings and prior of a sensor type or of one sensor, as the kernel takes them. */
export interface Profile extends Settings {
  /** The prior: how far normal sensors of the type go beyond their first readings. */
  readonly reach: number;
}

/** Addresses of the offsets of both kinds of cells, and of a chunk's saved form with its size. */
interface Saving {
  readonly doubles: number;
  readonly floats: number;
  readonly chunk: number;
  readonly bytes: number;
}

/** Room, in chunks, for what else is kept beside them: profiles, calendars, and where a chunk is put together. */
const SPARE_CHUNKS = 8;

/**
 * An instance of the kernel with the states of up to SHARD_SENSORS sensors in its memory, in chunks, and the profiles of their types and of sensors with
 * settings of their own (72 bytes each). The
 * saved form of a chunk is that of the sensors' double-precision cells one after another, then of their single-precision ones.
 */
export class Shard {
  readonly kernel: Kernel;
  readonly #units: number;
  readonly #layout: SensorLayout;
  readonly #profileOf: (type: number, sensor: number | undefined) => Profile;
  /** Address of each chunk's first sensor. */
  readonly #chunks: number[] = [];
  /** Address of each type's profile, by type number. */
  readonly #profiles = new Map<number, number>();
  /** Address of the profile of each sensor that has its own, by its number in the shard; and of those that were given back. */
  readonly #own = new Map<number, number>();
  readonly #unused: number[] = [];
  readonly #calendars: Calendars;
  #saved: Saving | undefined;

  /** @param profileOf of a type, or of the sensor of that type with that number. */
  constructor(model: TrunkModel, profileOf: (type: number, sensor: number | undefined) => Profile) {
    this.kernel = new Kernel(model);
    this.#calendars = new Calendars(this.kernel, () => this.#calendarsInUse());
    this.#units = model.units;
    this.#layout = sensorLayout(model.units);
    this.#profileOf = profileOf;
  }

  get views(): Views {
    return this.kernel.views;
  }

  get bytesPerSensor(): number {
    return this.#layout.bytes;
  }

  /** Address of a sensor by its number in the shard. Throws a RangeError where there is no such sensor. */
  address(sensor: number): number {
    const chunk = this.#chunks[sensor >>> CHUNK_SHIFT];
    if (chunk === undefined)
      throw new RangeError(`sensor ${sensor} is in none of the ${this.#chunks.length} chunks of state`);
    return chunk + (sensor & CHUNK_MASK) * this.#layout.bytes;
  }

  /** So many sensors are to come. */
  reserve(sensors: number): void {
    this.kernel.reserve((Math.ceil(sensors / CHUNK_SENSORS) + SPARE_CHUNKS) * CHUNK_SENSORS * this.#layout.bytes);
  }

  /** Takes the sensor of that number in. */
  add(sensor: number, type: number): void {
    this.#reserve(sensor >>> CHUNK_SHIFT);
    const at = this.address(sensor);
    this.views.f64[(at >>> 3) + TYPE] = type;
    this.views.f64[(at + offsetOf("sensor", "deadline")) >>> 3] = Number.POSITIVE_INFINITY;
    this.#point(sensor, type);
  }

  /** All of the sensor is as before it was added. */
  clear(sensor: number): void {
    const at = this.address(sensor);
    this.views.u8.fill(0, at, at + this.bytesPerSensor);
    this.views.f64[(at + offsetOf("sensor", "deadline")) >>> 3] = Number.POSITIVE_INFINITY;
    this.#point(sensor, 0);
  }

  /** Settings of a type have changed, or those for all: rewrites the profiles that follow from them. */
  renewProfiles(changed: number | undefined): void {
    for (const [type, at] of this.#profiles) {
      if (changed === undefined || type === changed) this.#writeProfile(at, this.#profileOf(type, undefined));
    }
    for (const [sensor, at] of this.#own) {
      const type = this.#typeOf(sensor);
      if (changed === undefined || type === changed) this.#writeProfile(at, this.#profileOf(type, sensor));
    }
  }

  /** A sensor's own settings have changed: gives it a profile of its own, or its type's where it has no more of them. */
  renewOwn(sensor: number, has: boolean): void {
    const type = this.#typeOf(sensor);
    let at = this.#own.get(sensor);
    if (has) {
      at ??= this.#unused.pop() ?? this.kernel.allocate(STRUCTURES.profile.bytes, 8);
      this.#own.set(sensor, at);
      this.#writeProfile(at, this.#profileOf(type, sensor));
    } else if (at !== undefined) {
      this.#own.delete(sensor);
      this.#unused.push(at);
    }
    this.#point(sensor, type);
  }

  /** Whether nothing of the sensor is reported. */
  isOff(sensor: number): boolean {
    const { u32 } = this.views;
    return u32[(u32[(this.address(sensor) >>> 2) + PROFILE]! >>> 2) + SIDES] === 0;
  }

  save(chunk: number): Uint8Array {
    const saving = this.#saving();
    this.#eachSensor(chunk, saving, (...at) => this.kernel.call.pack(...at));
    return this.views.u8.slice(saving.chunk, saving.chunk + saving.bytes);
  }

  /**
   * Restores a chunk that holds `sensors` sensors, saved by this version of the state or by one of FORMER_STATES. Throws a RangeError
   * where the bytes are of another layout.
   */
  load(chunk: number, saved: Uint8Array, sensors: number, stateVersion: number): void {
    const isFormer = FORMER_STATES.includes(stateVersion);
    const layout = isFormer ? sensorLayout(this.#units, stateVersion) : this.#layout;
    const saving = this.#saving();
    const wanted = bytesOf(layout);
    if (saved.byteLength !== wanted) {
      throw new RangeError(`chunk ${chunk} has ${saved.byteLength} bytes of state, wanted ${wanted}`);
    }
    this.#reserve(chunk);
    this.views.u8.set(saved, saving.chunk);
    this.#eachSensor(chunk, saving, (...at) => this.kernel.call.unpack(...at), layout);
    if (isFormer) this.#migrate(chunk, stateVersion);
    for (let sensor = chunk * CHUNK_SENSORS; sensor < chunk * CHUNK_SENSORS + sensors; sensor++) {
      this.#point(sensor, this.#typeOf(sensor));
    }
  }

  /** Calls `copy` for the double-precision words of each sensor and of their saved form, and for the single-precision ones. */
  #eachSensor(
    chunk: number,
    saving: Saving,
    copy: (sensor: number, offsets: number, words: number, saved: number) => void,
    { doubles, floats }: SensorLayout = this.#layout,
  ) {
    const doubleWords = doubles.length;
    for (let k = 0; k < CHUNK_SENSORS; k++) {
      const sensor = this.address(chunk * CHUNK_SENSORS + k);
      copy(sensor, saving.doubles, doubleWords, saving.chunk + 4 * k * doubleWords);
      const from = saving.chunk + 4 * (CHUNK_SENSORS * doubleWords + k * floats.length);
      copy(sensor, saving.floats, floats.length, from);
    }
  }

  /** A chunk of a former version is in place: what it lacks. */
  #migrate(chunk: number, from: number): void {
    const { migrateFrom6, migrateFrom7, migrateFrom8, migrateFrom9, migrateFrom10, migrateFrom11 } = this.kernel.call;
    for (let k = 0; k < CHUNK_SENSORS; k++) {
      const sensor = this.address(chunk * CHUNK_SENSORS + k);
      if (from === 6) migrateFrom6(sensor);
      if (from <= 7) migrateFrom7(sensor);
      if (from <= 8) migrateFrom8(sensor);
      if (from <= 9) migrateFrom9(sensor);
      if (from <= 10) migrateFrom10(sensor);
      migrateFrom11(sensor);
    }
  }

  /** Where chunks are put together, made with the first. */
  #saving(): Saving {
    if (this.#saved !== undefined) return this.#saved;
    const { doubles, floats } = this.#layout;
    const bytes = bytesOf(this.#layout);
    const offsets = this.kernel.allocate(4 * (doubles.length + floats.length), 4);
    const chunk = this.kernel.allocate(bytes, LINE_BYTES);
    this.#saved = { doubles: offsets, floats: offsets + 4 * doubles.length, chunk, bytes };
    this.views.u32.set(doubles, offsets >>> 2);
    this.views.u32.set(floats, this.#saved.floats >>> 2);
    return this.#saved;
  }

  #reserve(chunk: number): void {
    while (this.#chunks.length <= chunk) {
      this.#chunks.push(this.kernel.allocate(CHUNK_SENSORS * this.#layout.bytes, LINE_BYTES));
    }
  }

  #typeOf(sensor: number): number {
    return this.views.f64[(this.address(sensor) >>> 3) + TYPE]!;
  }

  /** Points a sensor at its own profile, or at its type's. */
  #point(sensor: number, type: number): void {
    const profile = this.#own.get(sensor) ?? this.#profile(type);
    this.views.u32[(this.address(sensor) >>> 2) + PROFILE] = profile;
  }

  #profile(type: number): number {
    const known = this.#profiles.get(type);
    if (known !== undefined) return known;
    const at = this.kernel.allocate(STRUCTURES.profile.bytes, 8);
    this.#profiles.set(type, at);
    this.#writeProfile(at, this.#profileOf(type, undefined));
    return at;
  }

  #writeProfile(at: number, { calendar, ...profile }: Profile): void {
    const values = { ...profile, calendar: this.#calendars.address(calendar) };
    for (const { name } of STRUCTURES.profile.fields) {
      this.kernel.put("profile", at, name, Number(values[name as keyof Profile]));
    }
  }

  #calendarsInUse(): ReadonlySet<number> {
    const { u32 } = this.views;
    const profiles = [...this.#profiles.values(), ...this.#own.values()];
    return new Set(profiles.map((at) => u32[(at >>> 2) + CALENDAR]!));
  }
}

/** Bytes of a chunk's saved form. */
function bytesOf({ doubles, floats }: SensorLayout): number {
  return 4 * CHUNK_SENSORS * (doubles.length + floats.length);
}
