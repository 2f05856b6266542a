import { equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { retryAfter } from '../../src/http/retry-after.ts'

const now = Date.UTC(2026, 10, 4, 12, 0, 0)
const wallClock = (): number => now

const table: readonly (readonly [header: string | string[] | undefined, ms: number | undefined, what: string])[] = [
  [undefined, undefined, 'no header'],
  ['0', 0, 'nothing to wait for'],
  ['120', 120_000, 'seconds'],
  [' 7 ', 7_000, 'seconds with space around'],
  ['007', 7_000, 'leading zeros'],
  [['3', '9'], 3_000, 'the first of two headers'],
  [[], undefined, 'a list of none'],
  ['Wed, 04 Nov 2026 12:00:30 GMT', 30_000, 'a date to come'],
  ['Wed, 04 Nov 2026 11:59:00 GMT', 0, 'a date past'],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0, 'a date long past'],
  ['Wednesday, 04-Nov-26 12:00:10 GMT', 10_000, 'a date of the obsolete RFC 850 form'],
  ['Fri, 31 Dec 9999 23:59:59 GMT', Date.UTC(9999, 11, 31, 23, 59, 59) - now, 'a date never to come'],
  ['Wed, 99 Foo 2026 12:00:30 GMT', undefined, 'a date that is none'],
  ['999999999', 999_999_999_000, 'a huge number'],
  ['9'.repeat(400), undefined, 'a number that is not one any more'],
  ['-3', undefined, 'negative'],
  ['+3', undefined, 'with a sign'],
  ['1.5', undefined, 'a fraction'],
  ['1e1', undefined, 'scientific'],
  ['0x10', undefined, 'hexadecimal'],
  ['Infinity', undefined, 'Infinity'],
  ['NaN', undefined, 'NaN'],
  ['', undefined, 'empty'],
  ['soon', undefined, 'a word'],
  ['2 seconds', undefined, 'a unit'],
  ['2, 3', undefined, 'a list'],
  ['2026-11-04T12:00:30Z', undefined, 'an ISO date'],
  ['١٢', undefined, 'digits of another script'],
]

suite('Retry-After reads', () => {
  for (const [header, ms, what] of table) {
    test(`${what} as ${ms === undefined ? 'nothing' : `${ms} ms`}`, () => equal(retryAfter(header, wallClock), ms))
  }

  test('a date of the obsolete asctime form as UTC, wherever this process runs', t => {
    const { TZ } = process.env
    t.after(() => {
      if (TZ === undefined) delete process.env.TZ
      else process.env.TZ = TZ
    })
    for (const zone of ['UTC', 'America/New_York', 'Asia/Tokyo']) {
      process.env.TZ = zone
      equal(retryAfter('Wed Nov  4 12:00:30 2026', wallClock), 30_000, zone)
      equal(retryAfter('Wed, 04 Nov 2026 12:00:30 GMT', wallClock), 30_000, zone)
    }
  })
})
