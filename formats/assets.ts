/** Assets: names from the largest to the smallest with a slash between, such as site/line/machine. */

/** The asset and those that it is in, the nearest first; none for "". */
export function assetsAround(asset: string): string[] {
  const all: string[] = [];
  for (let end = asset.length; end > 0; end = asset.lastIndexOf("/", end - 1)) all.push(asset.slice(0, end));
  return all;
}
