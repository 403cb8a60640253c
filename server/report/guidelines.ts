/**
 * What ANSI/ISA-18.2 (IEC 62682, and EEMUA 191 before them) hold for a bearable load of alarms, and how a range compares. Rates are
 * per operator.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Guideline, GuidelineSchema, Verdict } from "../../gen/es/telltale/v1/report_pb.ts";

export interface AlarmLoad {
  readonly days: number;
  readonly operators: number;
  readonly alarms: number;
  /** Readings of all sensors: without any, the absence of alarms says nothing. */
  readonly readings: number;
  /** Alarms opened in each ten minutes. */
  readonly perTenMinutes: readonly number[];
  /** Low, medium, high, critical. */
  readonly bySeverity: readonly number[];
  /** Alarms of the ten sensors with most. */
  readonly ofTopTen: number;
  /** Chattering and fleeting ones. */
  readonly nuisances: number;
  /** Open for more than a day at the end. */
  readonly stale: number;
}

/** More alarms than this in ten minutes are a flood: nobody can act on each. */
const FLOOD = 10;
/** More alarms than this in an hour are too many for one operator. */
const BUSY_HOUR = 30;
const SLOTS_PER_HOUR = 6;
/** Of fewer alarms, shares say nothing. */
const FEW = 50;

interface Measure {
  readonly id: string;
  readonly name: string;
  readonly measured: number;
  readonly unit: string;
  readonly target: string;
  /** Up to here all is well, up to there it is bearable. */
  readonly good: number;
  readonly bearable: number;
  /** Whether there is too little to tell. */
  readonly few?: boolean;
}

export function judge(load: AlarmLoad): Guideline[] {
  const { operators, alarms } = load;
  const slots = load.perTenMinutes.map((count) => count / operators);
  const hours: number[] = [];
  for (const [i, count] of slots.entries()) {
    const hour = Math.floor(i / SLOTS_PER_HOUR);
    hours[hour] = (hours[hour] ?? 0) + count;
  }
  const few = alarms < FEW;
  const [, , high = 0, critical = 0] = load.bySeverity;
  const measures: Measure[] = [
    {
      id: "alarms_per_day",
      name: "Alarms a day, per operator",
      measured: alarms / load.days / operators,
      unit: "",
      target: "about 150, at most 300",
      good: 150,
      bearable: 300,
    },
    {
      id: "alarms_per_ten_minutes",
      name: "Alarms in ten minutes on average, per operator",
      measured: ratio(alarms / operators, slots.length),
      unit: "",
      target: "about 1, at most 2",
      good: 1,
      bearable: 2,
    },
    {
      id: "peak_ten_minutes",
      name: "Most alarms in ten minutes, per operator",
      measured: slots.reduce((most, count) => Math.max(most, count), 0),
      unit: "",
      target: `at most ${FLOOD}`,
      good: FLOOD,
      bearable: FLOOD,
    },
    {
      id: "time_in_flood",
      name: `Ten-minute periods with more than ${FLOOD} alarms`,
      measured: 100 * ratio(slots.filter((count) => count > FLOOD).length, slots.length),
      unit: "%",
      target: "under 1 %",
      good: 1,
      bearable: 5,
    },
    {
      id: "busy_hours",
      name: `Hours with more than ${BUSY_HOUR} alarms`,
      measured: 100 * ratio(hours.filter((count) => count > BUSY_HOUR).length, hours.length),
      unit: "%",
      target: "under 1 %",
      good: 1,
      bearable: 5,
    },
    {
      id: "top_ten_share",
      name: "Share of the ten sensors with most alarms",
      measured: 100 * ratio(load.ofTopTen, alarms),
      unit: "%",
      target: "1 to 5 %",
      good: 5,
      bearable: 20,
      few,
    },
    {
      id: "chattering_and_fleeting",
      name: "Chattering and fleeting alarms",
      measured: load.nuisances,
      unit: "",
      target: "none",
      good: 0,
      bearable: 0,
    },
    {
      id: "stale_alarms",
      name: "Alarms open for more than a day",
      measured: load.stale,
      unit: "",
      target: "fewer than 5",
      good: 4,
      bearable: 10,
    },
    {
      id: "high_and_critical_share",
      name: "Share of alarms of high and critical severity",
      measured: 100 * ratio(high + critical, alarms),
      unit: "%",
      target: "about 5 % (80 % low, 15 % medium)",
      good: 6,
      bearable: 20,
      few: few && !isBeyond(high + critical, alarms, 0.2),
    },
  ];
  return measures.map(({ good, bearable, few: tooFew, ...rest }) => {
    const judged = tooFew ? Verdict.UNSPECIFIED : verdictOf(rest.measured, good, bearable);
    // A fleet that says nothing raises no alarms either.
    const verdict = load.readings === 0 && judged === Verdict.GOOD ? Verdict.UNSPECIFIED : judged;
    return create(GuidelineSchema, { ...rest, verdict } satisfies MessageInitShape<typeof GuidelineSchema>);
  });
}

function verdictOf(measured: number, good: number, bearable: number): Verdict {
  if (measured <= good) return Verdict.GOOD;
  return measured <= bearable ? Verdict.BORDERLINE : Verdict.BAD;
}

/** Whether so many of `all` are more than chance makes of a share that is bearable: by more than two standard deviations. */
function isBeyond(count: number, all: number, bearable: number): boolean {
  return count > bearable * all + 2 * Math.sqrt(all * bearable * (1 - bearable));
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
