// Time and chance as ports, so that pure code takes them as arguments and tests can hold them still.

/** Where shells get the time. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

/** Where shells get chance: a number from 0 up to but not including 1. */
export type Random = () => number;

/** JSON values. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
