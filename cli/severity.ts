/** The severities that a command is limited to. */
import { Option } from "commander";
import { Severity } from "../gen/es/telltale/v1/reading_pb.ts";

export function severityOption(): Option {
  const names = ["low", "medium", "high", "critical"];
  return new Option("--min-severity <severity>", "of at least this severity").choices(names);
}

/** Of what that option was given, if it was. */
export function severityOf(name: string | undefined): Severity {
  return name === undefined ? Severity.UNSPECIFIED : Severity[name.toUpperCase() as keyof typeof Severity];
}
