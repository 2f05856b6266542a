import { OptionError } from '../outcome/errors.ts'
import { TOKEN } from '../http/headers.ts'
import { kindOf, refuse } from './refuse.ts'

/** Says whether a value will do; if not, what was expected. */
export type Check = (value: unknown, where: string) => void
/** What each key of a group must be. */
export type Shape = Readonly<Record<string, Check>>
/** A check for each option of an interface: no option is left out, and there is none beside. */
export type ShapeOf<Options> = Readonly<Record<keyof Options, Check>>

/** A number between two others. */
export const number = (min: number, max: number, expected: string, whole = false): Check => (value, where) => {
  const fits = typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value))
  if (!fits) refuse(where, value, expected)
}
/** A duration, which may have no end. */
export const ms: Check = number(1, Infinity, 'a number of ms, at least 1, or Infinity')
/** A duration that ends. */
export const finiteMs: Check = number(1, 2 ** 31 - 1, 'a number of ms from 1 to 2147483647')
/** A duration that ends, or none. */
export const msOrZero: Check = number(0, 2 ** 31 - 1, 'a number of ms from 0 to 2147483647')
/** A whole number, 0 or more. */
export const count: Check = number(0, Number.MAX_SAFE_INTEGER, 'a whole number, 0 or more', true)
/** A whole number, at least 1. */
export const positive: Check = number(1, Number.MAX_SAFE_INTEGER, 'a whole number, at least 1', true)
/** A ratio. */
export const share: Check = number(0, 1, 'a ratio from 0 to 1')
/** A ratio that is not zero. */
export const rate: Check = number(Number.MIN_VALUE, 1, 'a ratio above 0, up to 1')
/** True or false. */
export const boolean: Check = (value, where) => {
  if (typeof value !== 'boolean') refuse(where, value, 'true or false')
}
/** A string that is not empty. */
export const text: Check = (value, where) => {
  if (typeof value !== 'string' || value === '') refuse(where, value, 'a string that is not empty')
}
/** A function. */
export const callable: Check = (value, where) => {
  if (typeof value !== 'function') refuse(where, value, 'a function')
}
/** An object that is no array. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
/** An object of anything; what it holds is not shown. */
export const record: Check = (value, where) => {
  if (!isRecord(value)) throw new OptionError(where, kindOf(value), 'an object')
}
/** A name of RFC 9110 token characters. */
export const token: Check = (value, where) => {
  if (typeof value !== 'string' || !TOKEN.test(value)) refuse(where, value, 'a name of RFC 9110 token characters')
}
/** An array of things that each pass. */
export const list = (check: Check): Check => (value, where) => {
  if (!Array.isArray(value)) refuse(where, value, 'an array')
  value.forEach((item, index) => check(item, `${where}[${index}]`))
}
/** One special value, or what passes a check. */
export const either = (special: unknown, check: Check): Check => (value, where) => {
  if (value !== special) check(value, where)
}
/** One of several strings. */
export const oneOf = (...values: readonly unknown[]): Check => (value, where) => {
  if (!values.includes(value)) refuse(where, value, `one of ${values.join(', ')}`)
}
/** One value alone. */
export const only = (wanted: unknown): Check => (value, where) => {
  if (value !== wanted) refuse(where, value, String(wanted))
}
/** A group of options. */
export const shape = (checks: Shape): Check => (value, where) => {
  checkShape(value as object, checks, where)
}

/** A group that is off unless asked for: true has its defaults. */
export const switchable = (checks: Shape): Check => (value, where) => {
  if (typeof value !== 'boolean') shape(checks)(value, where)
}

/** Checks own keys only: what hangs on a prototype is never read. Unknown keys are refused, with all known ones. */
export function checkShape(value: object, checks: Shape, where = ''): void {
  if (!isRecord(value)) refuse(where === '' ? 'options' : where, value, 'an object')
  const prefix = where === '' ? '' : `${where}.`
  for (const key of Object.keys(value)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined
    if (check === undefined) {
      throw new OptionError(prefix + key, 'an unknown option', `one of ${Object.keys(checks).join(', ')}`)
    }
    if (value[key] !== undefined) check(value[key], prefix + key)
  }
}

/** Time and chance. */
export const env: Check = (value, where) => {
  record(value, where)
  // The methods of a clock may well be those of its class.
  const { clock, random } = value as { clock?: { now?: unknown; after?: unknown }; random?: unknown }
  callable(clock?.now, `${where}.clock.now`)
  callable(clock?.after, `${where}.clock.after`)
  callable(random, `${where}.random`)
}
