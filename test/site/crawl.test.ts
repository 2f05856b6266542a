import { deepEqual } from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import type { Browser } from 'puppeteer-core'
import { browserMissing, startBrowser } from '../support/browser.ts'
import { closing } from '../support/check.ts'
import { crawl, type Crawl } from './crawl.ts'
import { serve } from './serve.ts'

/* The crawler of the API site, on small sites that are wrong in all ways it should find out. */

const PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'

describe('a crawl', { skip: browserMissing() }, () => {
  let browser: Browser
  before(async () => { browser = await startBrowser() })
  after(() => browser.close())

  const crawled = async (t: TestContext, site: Readonly<Record<string, string>>, ready?: string): Promise<Crawl> => {
    const files = { 'favicon.ico': PICTURE, 'p.svg': PICTURE, ...site }
    const server = await closing(t, serve(file => {
      const text = (files as Readonly<Record<string, string>>)[file]
      return text === undefined ? Promise.reject(new Error(file)) : Promise.resolve(text)
    }))
    return crawl(browser, server.url, ready)
  }

  test('opens all that can be reached, and finds nothing wrong where nothing is', async t => {
    const { pages, problems } = await crawled(t, {
      'index.html': '<a href="a/b.html#c d">to it</a> <a href="https://example.com">out</a> <a href="p.svg">file</a>',
      'a/b.html': '<h1 id="c d">here</h1> <img src="../p.svg"> <a href="../">back</a>',
      'unlinked.html': '<img src="no.svg">',
    })
    deepEqual({ pages, problems }, { pages: ['a/b.html', 'index.html'], problems: [] })
  })

  const wrong: Readonly<Record<string, readonly [page: string, problems: readonly string[]]>> = {
    'a dead link': ['<a href="no.html">x</a>', ['index.html: dead link to no.html']],
    'a dead file': ['<a href="no.txt">x</a>', ['index.html: dead link to no.txt']],
    'a dead anchor': ['<a href="#no">x</a>', ['index.html: dead link to index.html#no: there is no such place on the page']],
    'a link to a raw file': ['<a href="raw.md">x</a>', ['index.html: link to the raw file raw.md']],
    'a missing picture': ['<img src="no.png">', ['index.html: missing picture no.png', 'index.html: no no.png']],
    'a picture that is none': ['<img src="raw.md">', ['index.html: missing picture raw.md']],
    'an error of a script': ['<script>throw new Error("broken")</script>', ['index.html: Error: broken']],
    'what comes from elsewhere': [
      '<link rel="preload" as="image" href="http://127.0.0.1:1/x">', ['index.html: asks for http://127.0.0.1:1/x'],
    ],
  }
  for (const [what, [page, expected]] of Object.entries(wrong)) {
    test(`finds ${what}`, async t => {
      const { problems } = await crawled(t, { 'index.html': page, 'raw.md': '# raw' })
      // What Chromium itself writes of a failed request, and that a preload was of no use, is not of interest here.
      deepEqual(problems.filter(problem => !/Failed to load resource|was preloaded/.test(problem)), expected)
    })
  }

  test('waits for what scripts add', async t => {
    const script = '<script>setTimeout(() => { document.body.innerHTML = `<a href="no.txt">x</a>` }, 50)</script>'
    const { problems } = await crawled(t, { 'index.html': script }, "document.querySelector('a') !== null")
    deepEqual(problems, ['index.html: dead link to no.txt'])
  })
})
