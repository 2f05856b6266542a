import { deepEqual, equal } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Budget } from '../../src/upstream/retry-budget.ts'
import { budgetPolicy } from '../support/calls.ts'

const budgetOf = (capacity: number, cost = 10, throttledCost = 4): Budget =>
  new Budget(budgetPolicy({ capacity, cost, throttledCost }))

suite('a budget', () => {
  test('starts full, and pays for so many retries and no more', () => {
    const budget = budgetOf(35)
    deepEqual([budget.tokens, budget.capacity], [35, 35])
    deepEqual([1, 2, 3, 4].map(() => budget.withdraw(false)), [10, 10, 10, 0])
    equal(budget.tokens, 5)
  })

  test('asks less for a throttled call', () => {
    const budget = budgetOf(10)
    deepEqual([1, 2, 3].map(() => budget.withdraw(true)), [4, 4, 0])
  })

  test('gives back what a retry cost when it succeeds, and earns one token as with any success', () => {
    const budget = budgetOf(40)
    budget.withdraw(false)
    budget.deposit(budget.withdraw(false))
    equal(budget.tokens, 31)
  })

  test('earns one token with each success, up to its capacity', () => {
    const budget = budgetOf(20)
    budget.withdraw(false)
    budget.withdraw(false)
    for (let call = 0; call < 9; call++) budget.deposit(0)
    equal(budget.withdraw(false), 0)
    budget.deposit(0)
    equal(budget.withdraw(false), 10)
    for (let call = 0; call < 1_000; call++) budget.deposit(0)
    equal(budget.tokens, 20)
  })

  test('refills by successes alone: never by itself', () => {
    const budget = budgetOf(10)
    budget.withdraw(false)
    for (let ask = 0; ask < 1_000; ask++) equal(budget.withdraw(true), 0)
    equal(budget.tokens, 0)
  })

  test('keeps its tokens when retuned, up to the new capacity', () => {
    const budget = budgetOf(100)
    budget.withdraw(false)
    budget.tune(budgetPolicy({ capacity: 200, cost: 20, throttledCost: 4 }))
    deepEqual([budget.tokens, budget.capacity], [90, 200])
    equal(budget.withdraw(false), 20)
    budget.tune(budgetPolicy({ capacity: 50, cost: 20, throttledCost: 4 }))
    equal(budget.tokens, 50)
  })
})
