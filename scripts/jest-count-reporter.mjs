// Writes the counts of a jest run to the file named by HEADGATE_TEST_COUNTS, for .ci/run to add up.
import { appendFileSync } from "node:fs";

export default class CountReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.HEADGATE_TEST_COUNTS;
    if (file === undefined) return;
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    appendFileSync(file, `${results.numPassedTests} ${failed} ${results.numPendingTests + results.numTodoTests}\n`);
  }
}
