import { InvalidArgumentError } from "commander";
import { Direction } from "../gen/es/telltale/v1/detector_pb.ts";
import { enumValue } from "../server/lib/enum-name.ts";

/** Parser of a direction option, for commander. */
export function directionOption(text: string): Direction {
  const found = enumValue(Direction, text);
  if (found !== undefined && found !== Direction.UNSPECIFIED) return found;
  throw new InvalidArgumentError("Wanted both, high or low.");
}
