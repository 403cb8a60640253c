/** In which order test files run: those that take long and wait for processes begin first, so that none of them is the last one alone. */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** From what takes longest; what is in none of them comes after. */
const FOLDERS = ["test/spark/", "test/e2e/", "test/browser/", "test/deploy/", "test/scenario/", "test/contract/"];

/** Within a folder as vitest orders them: by how long they took where that is known, else by their size. */
export default class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config;
    const rankOf = ({ moduleId }: TestSpecification) => {
      const rank = FOLDERS.findIndex((folder) => moduleId.startsWith(`${root}/${folder}`));
      return rank === -1 ? FOLDERS.length : rank;
    };
    return (await super.sort(files)).sort((a, b) => rankOf(a) - rankOf(b));
  }
}
