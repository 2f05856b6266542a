import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, suite, test, type TestContext } from 'node:test'
import { prometheusMissing, promtool } from '../support/prometheus.ts'
import { read } from '../surface/approved.ts'
import { dashboard, dashboardQueries, labelsOf, namesIn, recordedNames, RULES, seriesNames } from './files.ts'

/*
 * What ships in observability/ fits the metrics there are, and does what it says.
 */

const missing = prometheusMissing()
if (missing !== false) console.log(`skipped: ${missing}`)

const scratch = (t: TestContext, files: Readonly<Record<string, string>>): string => {
  const dir = mkdtempSync(path.join(tmpdir(), 'breakwater-rules-'))
  t.after(() => { rmSync(dir, { recursive: true }) })
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(dir, name), text)
  return dir
}

const rules = read('observability/alerts.yml')
const ruleTests = read('observability/alerts.test.yml')
const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name)

suite('promtool', { skip: process.env['CI'] === 'true' ? false : missing }, () => {
  test('finds the rules well-formed', async () => {
    match(await promtool('check', 'rules', '--lint=all', '--lint-fatal', RULES), /SUCCESS: \d+ rules found/)
  })

  test('tries them, and would see if one were wrong', async t => {
    const dir = scratch(t, { 'alerts.yml': rules, 'alerts.test.yml': ruleTests })
    match(await promtool('test', 'rules', path.join(dir, 'alerts.test.yml')), /SUCCESS/)
    const mistakes = [['> 0.9', '> 0.99'], ['_rate5m > 0.01', '_rate5m > 0.9'], ['="ERR_LIMIT_EXCEEDED"', '!=""']] as const
    for (const [from, to] of mistakes) {
      writeFileSync(path.join(dir, 'alerts.yml'), rules.replace(from, to))
      await rejects(promtool('test', 'rules', path.join(dir, 'alerts.test.yml')), /FAILED/, from)
    }
  })

  test('can read every expression of the dashboard', async t => {
    const asRules = (queries: readonly { readonly expr: string }[]): string => JSON.stringify({
      groups: [{ name: 'dashboard', rules: queries.map(({ expr }, index) => ({ record: `panel:${index}`, expr })) }],
    })
    const dir = scratch(t, { 'good.yml': asRules(dashboardQueries), 'bad.yml': asRules([{ expr: 'sum by (' }]) })
    match(await promtool('check', 'rules', path.join(dir, 'good.yml')), new RegExp(`SUCCESS: ${dashboardQueries.length} rules found`))
    await rejects(promtool('check', 'rules', path.join(dir, 'bad.yml')))
  })
})

describe('what ships for dashboards, alerts and autoscalers', () => {
  test('has an alert tried for each there is, when it speaks and when it does not', () => {
    ok(alerts.length >= 8, alerts.join())
    for (const alert of alerts) {
      const tried = [...ruleTests.matchAll(/eval_time: \w+,?\s+alertname: (\w+)\s+(exp_alerts|)/g)]
        .filter(([, name]) => name === alert).map(([, , expected]) => expected !== '')
      deepEqual([tried.includes(true), tried.includes(false)], [true, true], alert)
    }
  })

  const known = (name: string): boolean => seriesNames.has(name) || recordedNames.has(name)

  for (const file of ['observability/alerts.yml', 'observability/alerts.test.yml', 'observability/grafana-dashboard.json']) {
    test(`${file} speaks of metrics there are`, () => {
      const names = namesIn(read(file))
      ok(names.length > 5)
      deepEqual(names.filter(name => !known(name)), [])
    })
  }

  test('is named in the documents as it is called', () => {
    const names = namesIn(read('docs/observability.md')).filter(name => !name.endsWith('_demand'))
    deepEqual(names.filter(name => !known(name) && ![...seriesNames].some(series => series.startsWith(`${name}_`))), [])
    for (const alert of alerts) ok(read('docs/observability.md').includes(`| \`${alert}\` |`), alert)
  })

  test('selects by labels those metrics have', () => {
    const texts = [rules, ruleTests, ...dashboardQueries.map(({ expr }) => expr)]
    const selectors = texts.flatMap(text => [...text.matchAll(/\b(breakwater_\w+)\{([^}]*)\}/g)])
    ok(selectors.length > 50)
    for (const [text, name = '', inside = ''] of selectors) {
      const labels = [...inside.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label)
      deepEqual(labels.filter(label => !labelsOf(name).includes(label)), [], text)
    }
  })

  test('shows every metric on the dashboard', () => {
    const shown = namesIn(dashboardQueries.map(({ expr }) => expr).join(' ')).map(name => name.replace(/_(bucket|sum|count)$/, ''))
    const all = [...seriesNames].map(name => name.replace(/_(bucket|sum|count)$/, ''))
    deepEqual([...new Set(all)].filter(name => !shown.includes(name)), [])
  })

  test('has on the dashboard no legend of a label the expression does not keep', () => {
    for (const { title, expr, legend } of dashboardQueries) {
      const kept = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', '))
      const used = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
      deepEqual(used.filter(label => !kept.includes(label)), [], title)
    }
  })

  test('has on the dashboard no variable that is not defined, and none twice', () => {
    const { list } = dashboard.templating
    const names = list.map(({ name }) => name)
    equal(new Set(names).size, names.length)
    const text = read('observability/grafana-dashboard.json')
    const used = [...text.matchAll(/\$\{?(\w+)\}?/g)].map(([, name = '']) => name).filter(name => !name.startsWith('__'))
    deepEqual([...new Set(used)].filter(name => !names.includes(name)), [])
    for (const { definition = '' } of list) deepEqual(namesIn(definition).filter(name => !seriesNames.has(name)), [])
  })
})
