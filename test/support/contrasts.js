// Runs in a page: the contrast of every piece of text to what is behind it (WCAG 2.2, 1.4.3), for those below `least`.
(least, selector) => {
  const parts = color => (color.match(/[\d.]+/g) ?? []).map(Number)
  const luminance = color => parts(color).slice(0, 3)
    .map(value => value / 255).map(value => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0)
  const behind = element => {
    // A picture brings a sheet of its own to be drawn on; bars stand on the page.
    const sheet = element.closest('svg')?.querySelector('rect[rx="8"]')
    if (sheet) return getComputedStyle(sheet).fill
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor
      if (parts(color)[3] !== 0) return color
    }
    return 'rgb(255, 255, 255)'
  }
  return [...document.querySelectorAll(selector)].map(element => {
    const style = getComputedStyle(element)
    const lights = [luminance(element instanceof SVGElement ? style.fill : style.color), luminance(behind(element))]
    return { text: element.textContent, contrast: (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05) }
  }).filter(({ contrast }) => contrast < least)
}
