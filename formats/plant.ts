/**
 * A small plant: sensors with daily and weekly seasons, noise that remembers, and faults with labels. Pure: the seed and the times
 * decide everything. `telltale simulate` streams it, and the console fills an empty platform with it.
 */

const DAY_US = 86_400_000_000;

export interface PlantSensor {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly location: string;
}

export const faultKinds = ["spike", "shift", "drift", "stuck", "noisy", "dropout"] as const;
export type FaultKind = (typeof faultKinds)[number];

/** When a sensor was not itself, from the first to the last abnormal instant, in microseconds since 1970. */
export interface Label {
  readonly sensorId: string;
  readonly kind: FaultKind;
  readonly startUs: number;
  readonly endUs: number;
}

export interface PlantReading extends PlantSensor {
  readonly observedAtUs: number;
  readonly value: number;
}

interface Kind {
  readonly type: string;
  readonly unit: string;
  /** Level, amplitudes of day and week, deviation of the noise, its memory from one reading to the next. */
  readonly level: number;
  readonly day: number;
  readonly week: number;
  readonly noise: number;
  readonly memory: number;
}

const kinds: readonly Kind[] = [
  { type: "temperature", unit: "C", level: 60, day: 6, week: 2, noise: 0.4, memory: 0.9 },
  { type: "pressure", unit: "bar", level: 8, day: 0.3, week: 0.1, noise: 0.05, memory: 0.6 },
  { type: "vibration", unit: "mm/s", level: 2.5, day: 0.4, week: 0.3, noise: 0.15, memory: 0.3 },
  { type: "flow", unit: "m3/h", level: 120, day: 25, week: 15, noise: 3, memory: 0.7 },
  { type: "power", unit: "kW", level: 300, day: 80, week: 60, noise: 8, memory: 0.5 },
];

/** Shortest and longest fault, in readings. */
const FAULT_READINGS = [20, 120] as const;
/** No faults before a sensor is old enough to be judged well. */
const YOUNG_READINGS = 200;

interface State {
  readonly sensor: PlantSensor;
  readonly kind: Kind;
  readonly phase: number;
  readonly random: () => number;
  noise: number;
  readings: number;
  fault: (Label & { readonly size: number }) | undefined;
  last: number;
}

export class Plant {
  readonly #states: State[];
  readonly #intervalUs: number;
  readonly #faultRate: number;

  /** `faultRate`: faults per reading of a sensor, about. */
  constructor(options: { seed: number; sensors: number; intervalUs: number; faultRate: number }) {
    this.#intervalUs = options.intervalUs;
    this.#faultRate = options.faultRate;
    this.#states = Array.from({ length: options.sensors }, (_, index) => begin(options.seed, index));
  }

  /** What the plant measures at an instant, and the faults that begin at it. A sensor that dropped out is silent. */
  step(atUs: number): { readings: PlantReading[]; began: Label[] } {
    const readings: PlantReading[] = [];
    const began: Label[] = [];
    for (const state of this.#states) {
      const before = state.fault;
      const value = this.#measure(state, atUs);
      if (state.fault && state.fault !== before) began.push(state.fault);
      if (state.fault?.kind !== "dropout") readings.push({ ...state.sensor, observedAtUs: atUs, value });
    }
    return { readings, began };
  }

  #measure(state: State, atUs: number): number {
    const { kind, random } = state;
    state.noise = kind.memory * state.noise + Math.sqrt(1 - kind.memory ** 2) * kind.noise * gauss(random);
    state.readings++;
    if (state.fault && atUs > state.fault.endUs) state.fault = undefined;
    const chance = random();
    if (!state.fault && state.readings > YOUNG_READINGS && chance < this.#faultRate) this.#fail(state, atUs);
    const day = Math.sin((2 * Math.PI * atUs) / DAY_US + state.phase) * kind.day;
    const week = Math.sin((2 * Math.PI * atUs) / (7 * DAY_US)) * kind.week;
    const value = distort(state, kind.level + day + week + state.noise, atUs);
    state.last = value;
    // Six digits are what such instruments give.
    return Number(value.toPrecision(6));
  }

  #fail(state: State, atUs: number): void {
    const { random } = state;
    const kind = faultKinds[Math.floor(random() * faultKinds.length)]!;
    const [shortest, longest] = FAULT_READINGS;
    const length = kind === "spike" ? 1 : shortest + Math.floor(random() * (longest - shortest));
    const size = (random() < 0.5 ? -1 : 1) * (8 + 8 * random()) * state.kind.noise;
    const endUs = atUs + (length - 1) * this.#intervalUs;
    state.fault = { sensorId: state.sensor.sensorId, kind, startUs: atUs, endUs, size };
  }
}

function distort({ fault, last, random, kind }: State, value: number, atUs: number): number {
  if (!fault) return value;
  switch (fault.kind) {
    case "spike":
    case "shift":
      return value + fault.size;
    case "drift":
      return value + (fault.size * 2 * (atUs - fault.startUs)) / Math.max(1, fault.endUs - fault.startUs);
    case "stuck":
      return last;
    case "noisy":
      return value + 5 * kind.noise * gauss(random);
    case "dropout":
      return value;
  }
}

function begin(seed: number, index: number): State {
  const kind = kinds[index % kinds.length]!;
  const random = generator(seed * 1_000_003 + index);
  const sensor = {
    sensorId: `${kind.type}-${String(Math.floor(index / kinds.length) + 1).padStart(3, "0")}`,
    sensorType: kind.type,
    unit: kind.unit,
    location: `hall ${(index % 3) + 1}`,
  };
  return { sensor, kind, phase: random(), random, noise: 0, readings: 0, fault: undefined, last: kind.level };
}

/** mulberry32 (public domain, Tommy Ettinger): small, and good enough for noise. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Box and Muller's transform; 1 − u keeps the logarithm finite. */
function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
