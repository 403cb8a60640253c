import { expect, test } from "vitest";
import { plainWords } from "./csv-words.ts";

test("what decides is called as the form calls it", () => {
  const text = (message: string) => plainWords(message).text;
  expect(
    plainWords(
      'line 2: the date "01/02/2026" may be day/month or month/day: day_first=true or month_first=true decides.',
    ),
  ).toEqual({
    text: 'line 2: the date "01/02/2026" may be day/month or month/day: "01/02/2026 is" decides.',
    names: ["day_first", "month_first"],
  });
  expect(text('line 3 has "1,5" and line 2 "1.5": decimal=. or decimal=, decides.')).toBe(
    'line 3 has "1,5" and line 2 "1.5": "Decimal mark" decides.',
  );
  expect(text("a decimal comma or one cell too many? decimal=, or delimiter decides.")).toBe(
    'a decimal comma or one cell too many? "Decimal mark" as "comma" or "Between cells" decides.',
  );
  expect(text("names no columns: time_column=1 value_column=2, for example, decides.")).toBe(
    'names no columns: "Column of the times" as "1" "Column of the values" as "2", for example, decides.',
  );
  expect(text("no column names the sensors: sensor_id says which it is, sensor_column where they stand.")).toBe(
    'no column names the sensors: "Sensor" says which it is, "Column of the sensors" where they stand.',
  );
  expect(text("time_column decides, or interval where the rows have none.")).toBe(
    '"Column of the times" decides, or "Seconds between rows" where the rows have none.',
  );
  expect(plainWords("the rows have no times: interval and start give them some.")).toEqual({
    text: 'the rows have no times: "Seconds between rows" and "Time of the first row" give them some.',
    names: ["interval", "start"],
  });
  expect(text("a start and an interval")).toBe("a start and an interval");
  expect(text("give wide=true")).toBe('give "Column of the values" as "each column is a sensor"');
});

test("a line that is refused is told by what was read, and what the file says stays as it is", () => {
  expect(plainWords("observed_at 2200-01-01T00:00:00Z is more than 300 s ahead", "line")).toEqual({
    text: "the time 2200-01-01T00:00:00Z is more than 300 s ahead",
    names: ["observed_at"],
  });
  expect(plainWords('sensor_id "sensor_id of time_zone" may not be written with this token', "line").text).toBe(
    'the sensor "sensor_id of time_zone" may not be written with this token',
  );
  const plain = 'the delimiter "x" is not one character; value is missing, unit "C", a start in my_time_zone';
  expect(plainWords(plain, "line")).toEqual({ text: plain, names: [] });
  expect(plainWords("occurs twice in Europe/Berlin: dst=earlier or dst=later decides", "line").text).toBe(
    'occurs twice in Europe/Berlin: "Hours that occur twice" decides',
  );
});
