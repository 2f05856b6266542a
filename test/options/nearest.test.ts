import { equal } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { listed, nearest, suggest } from '../../src/options/nearest.ts'

const KNOWN = ['deadline', 'deadlineHeader', 'retry', 'limit', 'max', 'queue', 'queueTimeout']

describe('the name that was probably meant', () => {
  for (const [name, meant] of [
    ['deadlin', 'deadline'], ['deadlines', 'deadline'], ['daedline', 'deadline'], ['DEADLINE', 'deadline'],
    ['dedlin', 'deadline'], ['deadlineheader', 'deadlineHeader'], ['retyr', 'retry'], ['limits', 'limit'], ['mx', undefined],
    ['maxx', 'max'], ['timeout', undefined], ['retries', undefined], ['d', undefined], ['', undefined], ['queueTime', undefined],
  ] as const) {
    test(`of ${name} is ${meant}`, () => equal(nearest(name, KNOWN), meant))
  }

  test('is the nearest of several', () => {
    equal(nearest('payment-2', ['payments-1', 'payments-2', 'payments-22']), 'payments-2')
  })
})

describe('what is said of an unknown name', () => {
  test('is the one that was meant, or all there are', () => {
    equal(suggest('retri', KNOWN, name => `'${name}'`), "did you mean 'retry'?")
    equal(suggest('x', KNOWN, name => name), 'expected one of deadline, deadlineHeader, retry, limit, max, queue, queueTimeout')
  })

  test('lists no more than can be read', () => {
    const names = Array.from({ length: 300 }, (_, index) => `a${index}`)
    equal(listed(names), `one of ${names.slice(0, 40).join(', ')}, … (300 in all)`)
    equal(listed(names.slice(0, 40)), `one of ${names.slice(0, 40).join(', ')}`)
  })
})
