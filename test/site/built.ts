import { deepEqual, match, ok } from 'node:assert/strict'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'puppeteer-core'
import { browserMissing, startBrowser } from '../support/browser.ts'
import type { TestServer } from '../support/server.ts'
import { ROOT } from '../surface/approved.ts'
import { crawl, type Crawl } from './crawl.ts'
import { serveFolder } from './serve.ts'

/*
 * The API site as it was built last, in a real browser: `npm run docs` builds it and then runs this. It is no *.test.ts, as
 * `npm test` needs no site.
 */

/** TypeDoc's script adds the navigation. */
const READY = "document.querySelector('#tsd-nav-container:empty') === null"

describe('the API site', { skip: browserMissing() }, () => {
  let server: TestServer
  let browser: Browser
  let seen: Crawl
  before(async () => {
    server = await serveFolder(path.join(ROOT, 'site/dist'))
    browser = await startBrowser()
    seen = await crawl(browser, server.url, READY)
  })
  after(async () => {
    await browser.close()
    await server.close()
  })

  const open = async (url: string, width = 1_280): Promise<Page> => {
    const page = await browser.newPage()
    await page.setViewport({ width, height: 900 })
    await page.goto(`${server.url}/${url}`, { waitUntil: 'load' })
    return page
  }

  test('has no dead link, no missing picture and no error', t => {
    t.diagnostic(`${seen.pages.length} pages`)
    ok(seen.pages.length > 150, `only ${seen.pages.length} pages were found`)
    deepEqual(seen.problems, [])
  })

  test('shows the guides, the examples and every entry point', () => {
    for (const name of ['pages/errors', 'pages/options', 'pages/examples', 'pages/examples/service', 'pages/changelog',
      'modules/breakwater', 'modules/breakwater_gateway', 'modules/breakwater_testing']) {
      ok(seen.pages.includes(`${name}.html`), name)
    }
  })

  test('groups the core, and leaves none of it to a group of its kind', async () => {
    const page = await open('modules/breakwater.html')
    const groups = await page.evaluate(
      '[...document.querySelectorAll(".tsd-member-group h2")].map(heading => heading.textContent.trim())')
    deepEqual(groups,
      ['Client', 'Requests and replies', 'Options', 'Policies', 'Errors', 'Events', 'State', 'Time and chance'])
  })

  for (const [query, expected] of [['AttemptTimeoutError', /AttemptTimeoutError/], ['full jitter', /pages\/retries/]] as const) {
    test(`finds ${query}`, async () => {
      const page = await open('index.html')
      await page.click('#tsd-search-trigger')
      await page.locator('#tsd-search-input').fill(query)
      await page.waitForSelector('#tsd-search-results a')
      match(String(await page.evaluate('document.querySelector("#tsd-search-results a").href')), expected)
    })
  }

  test('is read on a phone without scrolling sideways', async () => {
    const page = await open('index.html', 390)
    for (const url of seen.pages.filter(name => name === 'index.html' || name.startsWith('pages/'))) {
      await page.goto(`${server.url}/${url}`, { waitUntil: 'load' })
      const width = Number(await page.evaluate('document.documentElement.scrollWidth'))
      ok(width <= 390, `${url} is ${width} px wide`)
    }
  })
})
