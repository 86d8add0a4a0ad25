// jest runs the sources as they are: ESM, types stripped by Node itself. Types are checked by tsc, not here.
export default {
  testMatch: [
    "<rootDir>/*/src/**/*.test.ts",
    "<rootDir>/test/**/*.test.ts",
    "<rootDir>/bench/**/*.test.ts",
    "<rootDir>/scripts/**/*.test.ts",
  ],
  extensionsToTreatAsEsm: [".ts"],
  transform: { "\\.ts$": "<rootDir>/scripts/jest-transform.mjs" },
  modulePathIgnorePatterns: ["<rootDir>/.headgate", "<rootDir>/.cache"],
  testTimeout: 60_000,
  maxWorkers: 2,
  reporters: ["default", "<rootDir>/scripts/jest-count-reporter.mjs"],
};
