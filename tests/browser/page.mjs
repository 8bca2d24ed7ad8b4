#!/usr/bin/env node
// The page of `midsim up` in a real browser, used with the keyboard only.
//   node page.mjs MIDSIM SCREENS_FOLDER      (run where playwright-core and axe-core are installed; CHROMIUM is the browser)
// The PIN of this world occurs nowhere by chance, so wherever it is found, it has leaked.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [midsim, screens] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), 'x.js'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const PIN = '86420975';
// As digits, as ASCII in hexadecimal, as nibble-swapped BCD, and packed in 7-bit characters.
const LEAKS = [PIN, Buffer.from(PIN).toString('hex'), '68240957', '38db0cc3cb9d'];
const USER = '+447700900001';

mkdirSync(screens, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'midsim-page-'));
const here = dirname(fileURLToPath(import.meta.url));
const world = readFileSync(join(here, '../../fixtures/world.toml'), 'utf8').replace('pin = "1234"', `pin = "${PIN}"`);
writeFileSync(join(folder, 'world.toml'), world);
// A terminal without DISPLAY TEXT that knows GET INKEY with yes and no: TS 102 223 §5.2, octets 1 to 8.
writeFileSync(join(folder, 'inkey.toml'), 'inherits = "default"\nname = "inkey"\n[handset]\nterminal_profile = "0300060200000008"\n');
const ups = [];
const heard = [];
let browser;
try {
  const { ui, op } = await start();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
  });
  const page = await open(ui, { width: 1280, height: 900 }, 'light');
  const phone = await open(ui, { width: 390, height: 844 }, 'dark');
  await tokensByKeyboard(page, phone, ui);
  await cancelByKeyboard(page, op);
  await wrongPin(page, op);
  await anotherPin(page, phone, op);
  await documentation(page, ui);
  await strangers(ui);
  await noLeaks([page, phone], ui);
  assert.deepEqual(heard, [], 'the console must stay silent');
  await yesOrNo();
  await midsimGoes(page);
} finally {
  await browser?.close();
  for (const up of ups) up.kill('SIGTERM');
  rmSync(folder, { recursive: true });
}

async function start(...options) {
  const up = spawn(midsim, ['up', '--json', '--port-base', '0', '--world', join(folder, 'world.toml'), ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  ups.push(up);
  return new Promise((resolve, reject) => {
    let text = '';
    up.stdout.on('data', (data) => { text += data; if (text.includes('\n')) resolve(JSON.parse(text)); });
    up.on('exit', (code) => reject(new Error(`midsim up ended with ${code}`)));
  });
}

async function open(url, viewport, colorScheme) {
  const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.on('console', (message) => heard.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => heard.push(String(error)));
  await page.goto(url);
  return page;
}

// The whole flow, with the commands that an empty page shows, run as they are.
async function tokensByKeyboard(page, phone, ui) {
  await page.getByText('No phone waits').waitFor();
  await page.locator('#curl', { hasText: 'curl' }).waitFor();
  await look('empty', page, phone);
  const commands = (await page.locator('#curl').innerText()).split(/\n(?=curl)/);
  assert.equal(commands.length, 2, 'a pair of commands');
  const paste = (command) => JSON.parse(execFileSync('bash', ['-c', command], { cwd: folder, encoding: 'utf8' }));
  assert.ok(paste(commands[0]).auth_req_id);
  const dialog = page.getByRole('form', { name: `Phone ${USER}` });
  await dialog.getByText('Sign in? W4SCT').waitFor();
  assert.equal(paste(commands[1]).error, 'authorization_pending');
  await focused(page, 'OK');
  assert.equal(await page.title(), '(1) midsim');
  await look('popup', page, phone);
  await page.keyboard.press('Enter');

  const input = dialog.locator('input');
  await input.waitFor();
  await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT');
  await page.keyboard.type('12');
  await page.keyboard.press('Enter');
  await dialog.getByRole('alert').getByText('Enter 4 to 8 digits.').waitFor();
  await page.keyboard.type(PIN);
  await look('pin', page, phone);
  await page.keyboard.press('Enter');
  await page.getByText('No phone waits').waitFor();

  let tokens;
  for (let tries = 0; tries < 10 && !tokens?.id_token; tries += 1) {
    await page.waitForTimeout(tries === 0 ? 0 : 5100);
    tokens = paste(commands[1]);
  }
  assert.ok(tokens.id_token, JSON.stringify(tokens));
  await page.locator('#traces').getByText('16 of 16').waitFor();

  // Tab leads to the trace, Enter opens it.
  const href = await page.locator('#traces tr', { hasText: '16 of 16' }).locator('a').getAttribute('href');
  await tabTo(page, `a[href="${href}"]`);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement?.id === 'trace-title');
  const steps = await page.locator('#lines .step').allInnerTexts();
  assert.deepEqual([...new Set(steps.map(Number))].sort((a, b) => a - b), Array.from({ length: 16 }, (_, n) => n + 1));
  await look('trace', page, phone);
  const few = steps.length;
  await tabTo(page, '#all');
  await page.keyboard.press('Space');
  await page.waitForFunction((count) => document.querySelectorAll('#lines tr').length > count, few);
  await tabTo(page, '#lines summary');
  await page.keyboard.press('Enter');
  await look('every-event', page, phone);
  await tabTo(page, '#all', 'Shift+Tab');
  await page.keyboard.press('Space');
  console.log(`keyboard: tokens after OK and PIN, ${few} lines in the trace of ${ui}`);
}

async function cancelByKeyboard(page, op) {
  const asked = await authorize(op);
  await page.getByRole('form', { name: `Phone ${USER}` }).getByText('Cancel me').waitFor();
  await tabTo(page, '.phone .ok');
  await page.keyboard.press('Escape');
  await page.getByText('No phone waits').waitFor();
  assert.equal((await outcome(op, asked)).error, 'access_denied');
  console.log('keyboard: Escape cancels as on a phone');
}

async function wrongPin(page, op) {
  const asked = await authorize(op);
  const dialog = page.getByRole('form', { name: `Phone ${USER}` });
  await tabTo(page, '.phone .ok');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT');
  await page.keyboard.type('11111111');
  await page.keyboard.press('Enter');
  await dialog.getByText(/2/).first().waitFor();
  await page.screenshot({ path: join(screens, 'wrong-pin.png'), fullPage: true });
  for (let screen = 0; screen < 3 && !(await page.getByText('No phone waits').isVisible()); screen += 1) {
    const before = await dialog.getAttribute('aria-labelledby');
    if (await dialog.locator('input').isVisible()) await page.keyboard.type(PIN);
    await page.keyboard.press('Enter');
    await page.waitForFunction((id) => !document.getElementById(id), before);
    await page.waitForTimeout(200);
  }
  assert.ok((await outcome(op, asked)).id_token);
  console.log('keyboard: a wrong PIN, told how many tries are left, then the right one');
}

// The card's menu: another PIN, which then is the right one.
async function anotherPin(page, phone, op) {
  for (const view of [page, phone]) {
    await tabTo(view, '#hand summary');
    await view.keyboard.press('Enter');
    await tabTo(view, '#number');
    await view.keyboard.press('Control+A');
    await view.keyboard.type('+4477009');
    await view.keyboard.press('Enter');
    await view.locator('#hand').getByRole('alert').getByText('nobody').waitFor();
    await view.keyboard.press('Control+A');
    await view.keyboard.type(USER);
    await view.keyboard.press('Enter');
    await view.getByText('tries left: PIN 3, PUK 10; on the network: yes').waitFor();
  }
  await look('menu', page, phone);
  // The browser itself reports the 404 of the API in its console.
  assert.deepEqual(heard.splice(0).filter((text) => !text.includes('404')), []);
  await tabTo(page, '#menu button');
  await focused(page, 'Change PIN');
  await page.keyboard.press('Enter');
  const other = PIN.slice(4);
  for (const typed of [PIN, other, other]) {
    const input = page.locator('.phone input');
    await input.waitFor();
    const id = await input.getAttribute('aria-labelledby');
    await tabTo(page, '.phone input');
    await page.keyboard.type(typed);
    await page.keyboard.press('Enter');
    await page.waitForFunction((gone) => !document.getElementById(gone), id);
  }
  await page.locator('.phone .ok').waitFor();
  await tabTo(page, '.phone .ok');
  await page.keyboard.press('Enter');
  await page.getByText('No phone waits').waitFor();
  const asked = await authorize(op);
  await tabTo(page, '.phone .ok');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT');
  await page.keyboard.type(other);
  await page.keyboard.press('Enter');
  await page.getByText('No phone waits').waitFor();
  assert.ok((await outcome(op, asked)).id_token);
  console.log("keyboard: another PIN by the card's menu");
}

async function documentation(page, ui) {
  for (const path of ['/docs/', '/docs/quickstart', '/docs/packets', '/docs/op']) {
    await page.goto(`${ui}${path}`);
    await violations(page, path);
    await page.screenshot({ path: join(screens, `${path.slice(1).replaceAll('/', '-')}.png`) });
  }
  const links = await page.goto(`${ui}/docs/`).then(() => page.locator('main a').evaluateAll((all) => all.map((a) => a.href)));
  for (const link of links) assert.equal((await fetch(link)).status, 200, link);
  await page.goto(`${ui}/#gone`);
  await page.getByText('It is not there').waitFor();
  await page.goto(ui);
  // The browser itself reports the 404 of the API in its console.
  const [only, ...more] = heard.splice(0);
  assert.match(only ?? '404', /404/);
  assert.deepEqual(more.filter((text) => !text.includes('404')), []);
  console.log(`documentation: ${links.length} pages`);
}

// A page elsewhere must not reach the API through this browser.
async function strangers(ui) {
  const { hostname, port } = new URL(ui);
  const ask = (headers) => new Promise((resolve, reject) => {
    request({ hostname, port, path: '/api/v1/prompts', headers }, (answer) => { answer.resume(); resolve(answer.statusCode); })
      .on('error', reject).end();
  });
  assert.equal(await ask({ host: `localhost:${port}` }), 200);
  assert.equal(await ask({ host: `rebound.example:${port}` }), 421);
  assert.equal(await ask({ origin: 'http://elsewhere.example' }), 403);
  console.log('strangers: a foreign Host gets 421, a foreign Origin 403');
}

async function noLeaks(pages, ui) {
  const texts = [];
  for (const page of pages) {
    texts.push(page.url(), await page.content(), await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])));
  }
  const { traces } = await (await fetch(`${ui}/api/v1/traces`)).json();
  for (const path of ['state', 'prompts', 'notifications', ...traces.map(({ id }) => `traces/${id}`)]) {
    texts.push(await (await fetch(`${ui}/api/v1/${path}`)).text());
  }
  texts.push(...heard);
  for (const text of texts) {
    for (const leak of LEAKS) assert.ok(!text.toLowerCase().includes(leak), `the PIN is in ${text.slice(0, 200)}…`);
  }
  assert.ok(texts.some((text) => text.includes('xxxx')), 'the place where it was is masked');
  console.log(`secrets: the PIN is in none of ${texts.length} pages, stores and answers`);
}

// A question of yes or no, where the handset has those.
async function yesOrNo() {
  const { ui, op } = await start('--card-profile', join(folder, 'inkey.toml'));
  const page = await open(ui, { width: 390, height: 844 }, 'light');
  await page.getByText('No phone waits').waitFor();
  for (const [key, answer] of [['No', 'access_denied'], ['Yes', undefined]]) {
    const asked = await authorize(op, 'mod-pr');
    await focused(page, 'Yes');
    await violations(page, 'yes or no');
    await tabTo(page, key === 'No' ? '.phone .no' : '.phone .ok');
    await focused(page, key);
    await page.keyboard.press('Enter');
    await page.getByText('No phone waits').waitFor();
    const ended = await outcome(op, asked);
    assert.equal(ended.error, answer, JSON.stringify(ended));
  }
  assert.deepEqual(heard, [], 'the console must stay silent');
  await page.close();
  console.log('keyboard: yes and no');
}

async function midsimGoes(page) {
  for (const up of ups) {
    up.removeAllListeners('exit');
    up.kill('SIGTERM');
  }
  await page.getByRole('alert').getByText('midsim does not answer').waitFor();
  await page.screenshot({ path: join(screens, 'gone.png') });
  console.log('midsim gone: the page says so');
}

async function authorize(op, acr_values = 'mod-mf') {
  const { auth_req_id } = await form(`${op}/bc-authorize`, { scope: 'openid', acr_values, login_hint: USER, binding_message: 'Cancel me' });
  return auth_req_id;
}

async function outcome(op, auth_req_id) {
  for (;;) {
    const answer = await form(`${op}/token`, { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id });
    if (!['authorization_pending', 'slow_down'].includes(answer.error)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 5100));
  }
}

async function form(url, fields) {
  const authorization = `Basic ${Buffer.from('poll:poll-secret').toString('base64')}`;
  return (await fetch(url, { method: 'POST', headers: { authorization }, body: new URLSearchParams(fields) })).json();
}

async function focused(page, name) {
  await page.waitForFunction((text) => document.activeElement?.textContent === text, name);
}

async function tabTo(page, selector, key = 'Tab') {
  await page.locator(selector).first().waitFor();
  for (let presses = 0; presses < 200; presses += 1) {
    if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
    await page.keyboard.press(key);
  }
  assert.fail(`${key} does not lead to ${selector}`);
}

// Screenshots for people, axe for the rules, and no scrolling sideways on a phone.
async function look(name, page, phone) {
  await phone.waitForTimeout(300);
  for (const [view, size] of [[page, 'wide-light'], [phone, 'phone-dark']]) {
    await view.screenshot({ path: join(screens, `${name}-${size}.png`), fullPage: true });
    await violations(view, `${name}, ${size}`);
  }
  const [inner, outer] = await phone.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(inner <= outer, `${name}: ${inner} px wide on a phone of ${outer} px`);
}

async function violations(page, name) {
  // Evaluated, not added as a script: the page's policy allows no other scripts, and stays as it is.
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
  const short = found.map(({ id, help, nodes }) => `${id}: ${help} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
  assert.deepEqual(short, [], name);
}
