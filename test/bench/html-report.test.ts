import { deepEqual, equal, ok } from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'puppeteer-core'
import { FLEET_COLUMNS } from '../../bench/fleet/figures.ts'
import { toHtml } from '../../bench/report/html.ts'
import type { Machine } from '../../bench/report/machine.ts'
import type { Row, Section } from '../../bench/report/report.ts'
import { judge, TARGETS } from '../../bench/targets.ts'
import { parsePhases } from '../../demo/phases.ts'
import { chart } from '../../demo/report/chart.ts'
import { runOf, trackOf } from '../demo/tracks.ts'
import { browserMissing, startBrowser, watch, type Offences } from '../support/browser.ts'

/*
 * The report of `npm run bench -- --html` is a page, so it is met by a real browser: on a wide screen, on a phone, in the
 * dark. What it shows is made up; how it is shown is not.
 */

const NASTY = '<script>alert(1)</script> & "peer"'
const spans = parsePhases('health:1,outage:2,recovery:1')
const rows: Row[] = ['breakwater', 'bare undici', NASTY].map((name, index) => ({
  name, own: index === 0,
  values: Object.fromEntries(FLEET_COLUMNS.map(({ key }, column) => [key, (index + 1) * (column + 0.5)])),
}))
const tracks = ['breakwater', NASTY].map((name, index) => trackOf(name, spans, () => ({ good: 1 - index / 2 })))
const sections: Section[] = [
  {
    part: 'fleet', title: 'Fleets', pictures: [{ name: 'goodput', title: 'goodput', svg: chart(runOf(spans, tracks, 4_000)) }],
    tables: [{
      id: 'fleet', title: 'All columns there are', about: 'A wide one.', columns: FLEET_COLUMNS, rows, chart: 'reached',
    }],
  },
  {
    part: 'scenarios', title: 'Scenarios',
    tables: [{
      id: 'scenarios.flaky', title: 'flaky', about: 'A narrow one.',
      columns: [{ key: 'goodput', title: 'goodput', unit: 'share' }],
      rows: [{ name: 'breakwater', own: true, values: { goodput: 0.5 } }],
    }],
  },
]
const MACHINE: Machine = {
  date: '2026-11-23 04:00 UTC', commit: '0123456789', node: '24.21.0', v8: '13.6', system: 'Linux', processor: NASTY, cores: 2,
  memory: 1e9, load: 0.1, versions: { breakwater: '0.1.0', undici: '8.12.4' }, short: true, reproduce: 'npm run bench',
}

const CONTRASTS = readFileSync(new URL('../support/contrasts.js', import.meta.url), 'utf8').replace(/^\/\/.*\n/, '')

/** What an expression gives in the page; as text, for it is another world there. */
const inPage = <Value>(page: Page, expression: string): Promise<Value> => page.evaluate(expression) as Promise<Value>

describe('the report as a page', { skip: browserMissing() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-report-'))
  const file = join(folder, 'report.html')
  let browser: Browser
  before(async () => {
    writeFileSync(file, toHtml({ machine: MACHINE, sections, judged: judge(sections, TARGETS) }))
    browser = await startBrowser()
  })
  after(async () => {
    await browser.close()
    rmSync(folder, { recursive: true })
  })

  const open = async (width: number, scheme: 'light' | 'dark' = 'light'): Promise<{ page: Page; offences: Offences }> => {
    const page = await browser.newPage()
    const offences = watch(page)
    await page.setViewport({ width, height: 900 })
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
    await page.goto(pathToFileURL(file).href, { waitUntil: 'load' })
    return { page, offences }
  }

  test('needs nothing else, runs nothing and complains of nothing', async () => {
    const { page, offences } = await open(1_200)
    equal(await inPage<number>(page, 'document.scripts.length'), 0)
    ok((await inPage<string>(page, 'document.body.textContent')).includes(NASTY), 'a name is shown as it is')
    equal(await page.title(), 'breakwater: benchmarks')
    deepEqual(offences, { errors: [], requests: [] })
  })

  test('shows every table, bar and picture, and names what falls short', async () => {
    const { page } = await open(1_200)
    const boxes = await inPage<{ name: string; width: number; height: number }[]>(page, `
      [...document.querySelectorAll('table, figure svg')].map(element => {
        const { width, height } = element.getBoundingClientRect()
        return { name: element.tagName, width, height }
      })`)
    deepEqual(boxes.map(({ name }) => name), ['TABLE', 'svg', 'TABLE', 'svg', 'TABLE'])
    deepEqual(boxes.filter(({ width, height }) => width < 100 || height < 40), [])
    const text = await inPage<string>(page, 'document.body.innerText')
    ok(text.includes('1 of 1 fall short: flaky: goodput'), text.slice(0, 800))
    deepEqual(await inPage(page, '[...document.querySelectorAll(".short")].map(cell => cell.textContent)'), ['50 %'])
  })

  test('is read on a phone without scrolling sideways: what is too wide scrolls by itself', async () => {
    const { page } = await open(390)
    const [width = 0, screen = 0] = await inPage<number[]>(page,
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]')
    ok(width <= screen, `${width} px wide on a screen of ${screen}`)
    deepEqual(await inPage(page, `[...document.querySelectorAll('h1, h2, h3, p, dd, .wide')]
      .filter(element => element.getBoundingClientRect().right > ${screen}).map(element => element.outerHTML)`), [])
    const scrolls = await inPage<boolean[]>(page,
      '[...document.querySelectorAll(".wide")].map(region => region.scrollWidth > region.clientWidth)')
    ok(scrolls.includes(true), 'nothing was too wide, so nothing was tried')
  })

  test('can be read in the light and in the dark', async () => {
    const texts = 'h1, p, td, th, dt, figcaption, svg text'
    const papers = new Set<string>()
    for (const scheme of ['light', 'dark'] as const) {
      const { page } = await open(1_200, scheme)
      papers.add(await inPage(page, 'getComputedStyle(document.body).backgroundColor'))
      deepEqual(await inPage(page, `(${CONTRASTS})(4.5, '${texts}')`), [], scheme)
      ok((await inPage<unknown[]>(page, `(${CONTRASTS})(22, '${texts}')`)).length > 50, 'the measure finds no text')
    }
    equal(papers.size, 2, 'the dark is no darker')
  })
})
