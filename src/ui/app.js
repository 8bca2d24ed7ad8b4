// The page behind `midsim up`. Everything that comes from a message is put in as text, never as markup.

const $ = (id) => document.getElementById(id);
const cards = new Map();
// Fields that repeat the line, or are only of interest to who looks at octets.
const DETAILS = new Set(['SW', 'command', 'response', 'AP_ID', 'Base64Signature']);
let chosen = location.hash.slice(1);
let newest = '';
let drawn = { key: '', seqs: [] };

async function api(path, options) {
  const answer = await fetch(`/api/v1/${path}`, options);
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail ?? `${path}: ${answer.status}`), { status: answer.status });
  }
  return answer.status === 204 ? null : answer.json();
}

function notice(text) {
  if ($('notice').textContent !== text) $('notice').textContent = text;
  $('notice').hidden = !text;
}

function post(path, body) {
  return api(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

async function press(form, id, action, text) {
  const hint = form.querySelector('.hint');
  hint.textContent = '';
  try {
    await post(`prompts/${id}`, { action, ...(text !== undefined && { text }) });
  } catch (error) {
    hint.textContent = error.status === 404 ? 'This popup is gone.' : `Not accepted: ${error.message}.`;
  }
}

function card(prompt) {
  const form = $('popup').content.cloneNode(true).querySelector('form');
  const input = form.querySelector('input');
  const asks = prompt.kind === 'input';
  const range = `${prompt.min} to ${prompt.max} ${prompt.digits ? 'digits' : 'characters'}`;
  for (const [part, name] of [['h3', 'phone'], ['.text', 'text'], ['.range', 'range'], ['.hint', 'hint']]) {
    form.querySelector(part).id = `${name}-${prompt.id}`;
  }
  form.querySelector('h3').textContent = `Phone ${prompt.msisdn}`;
  form.setAttribute('aria-labelledby', `phone-${prompt.id}`);
  form.querySelector('.text').textContent = prompt.text;
  form.querySelector('.range').textContent = asks ? range : '';
  form.querySelector('.range').hidden = input.hidden = !asks;
  input.type = prompt.hidden ? 'password' : 'text';
  input.setAttribute('aria-labelledby', `text-${prompt.id}`);
  input.setAttribute('aria-describedby', `range-${prompt.id} hint-${prompt.id}`);
  form.querySelector('.ok').setAttribute('aria-describedby', `text-${prompt.id}`);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const typed = input.value;
    input.value = '';
    if (!asks) return void press(form, prompt.id, 'ok');
    const fits = typed.length >= prompt.min && typed.length <= prompt.max && (!prompt.digits || /^\d*$/.test(typed));
    if (fits) press(form, prompt.id, 'text', typed);
    else form.querySelector('.hint').textContent = `Enter ${range}.`;
  });
  const decides = prompt.kind === 'yes-no';
  form.querySelector('.no').hidden = !decides;
  if (decides) form.querySelector('.ok').textContent = 'Yes';
  form.querySelector('.no').addEventListener('click', () => press(form, prompt.id, 'no'));
  form.querySelector('.back').addEventListener('click', () => press(form, prompt.id, 'back'));
  form.querySelector('.cancel').addEventListener('click', () => press(form, prompt.id, 'cancel'));
  form.addEventListener('keydown', (event) => { if (event.key === 'Escape') press(form, prompt.id, 'cancel'); });
  return form;
}

function showPrompts(prompts) {
  const ids = new Set(prompts.map((prompt) => prompt.id));
  let free = document.activeElement === document.body || document.activeElement === $('phones');
  for (const [id, form] of cards) {
    if (ids.has(id)) continue;
    // Who answered this popup goes on with the next one; who is busy elsewhere on the page stays there.
    if (form.contains(document.activeElement)) { free = true; $('phones').focus(); }
    form.remove();
    cards.delete(id);
  }
  for (const prompt of prompts) {
    if (cards.has(prompt.id)) continue;
    const form = card(prompt);
    cards.set(prompt.id, form);
    $('prompts').append(form);
    if (free) (prompt.kind === 'input' ? form.querySelector('input') : form.querySelector('.ok')).focus();
    free = false;
  }
  $('none').hidden = cards.size > 0;
  document.title = cards.size ? `(${cards.size}) midsim` : 'midsim';
}

// A phone in hand: how its card is, and the card's menu.
async function hold(number, choice) {
  const path = `sims/${encodeURIComponent(number)}`;
  $('no-phone').textContent = '';
  try {
    const sim = await (choice ? post(path, { user: { kind: 'human' }, select: choice }) : api(path));
    const place = sim.place === 'handset' ? `on the network: ${sim.attached ? 'yes' : 'no'}` : `the card is not in it but in: ${sim.place}`;
    $('about').textContent = `Card ${sim.iccid}; tries left: PIN ${sim.pin_tries}, PUK ${sim.puk_tries}; ${place}`;
    $('held').hidden = false;
    const key = JSON.stringify([number, sim.menu]);
    if ($('menu').dataset.key === key) return;
    $('menu').dataset.key = key;
    $('menu-title').textContent = sim.menu ? `${sim.menu.title}:` : 'Its card has no menu, or has not been asked for it yet.';
    const items = Object.entries(sim.menu?.items ?? {}).map(([item, text]) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = text;
      button.addEventListener('click', () => hold(number, Number(item)));
      return button;
    });
    $('menu').replaceChildren($('menu-title'), ...items);
  } catch (error) {
    if (!choice) $('held').hidden = true;
    $('no-phone').textContent = `${error.message}.`;
  }
}

function row(cells) {
  const tr = document.createElement('tr');
  tr.setAttribute('role', 'row');
  for (const [content, name] of cells) {
    const td = document.createElement('td');
    td.setAttribute('role', 'cell');
    if (content instanceof Node) td.append(content); else td.textContent = content;
    if (name) td.className = name;
    tr.append(td);
  }
  return tr;
}

function showTraces(all) {
  // What the operator does of its own accord (a bind, a handset that is switched on) is no transaction to look at.
  const traces = all.filter((trace) => trace.reached || ['RP', 'OP', 'MSSP'].includes(trace.from));
  newest = traces.find((trace) => trace.reached)?.id ?? '';
  $('no-flows').hidden = traces.length > 0;
  $('flow-table').hidden = traces.length === 0;
  const key = JSON.stringify(traces);
  if ($('traces').dataset.key === key) return;
  $('traces').dataset.key = key;
  const focused = document.activeElement?.getAttribute('href');
  $('traces').replaceChildren(...traces.map((trace) => {
    const link = document.createElement('a');
    link.href = `#${trace.id}`;
    link.textContent = trace.id;
    const began = document.createElement('time');
    began.dateTime = trace.began;
    began.textContent = trace.began.slice(11, 19);
    const reached = trace.reached ? `${trace.reached} of 16` : '–';
    return row([[link], [began], [trace.first], [reached], [trace.last]]);
  }));
  if (focused) $('traces').querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
}

function decoded(line) {
  const cell = document.createElement('div');
  for (const [name, value] of line.fields) {
    if (!$('all').checked && (DETAILS.has(name) || name.startsWith('id_token.'))) continue;
    const field = document.createElement('div');
    const key = document.createElement('b');
    key.textContent = name;
    field.append(key, ` ${value}`);
    cell.append(field);
  }
  if (line.octets) {
    const details = document.createElement('details');
    const summary = document.createElement('summary');
    const hex = document.createElement('code');
    summary.textContent = `${line.octets.length} octets (${line.octets.kind})`;
    hex.textContent = line.octets.hex;
    details.append(summary, hex);
    cell.append(details);
  }
  return cell;
}

function drawLine(line) {
  const hop = line.from === line.to ? line.from : `${line.from} → ${line.to}`;
  return row([
    [line.step ? String(line.step) : '', 'step'], [hop, 'hop'], [line.name, 'what'], [decoded(line), 'fields'], [line.clause, 'quiet'],
  ]);
}

async function showTrace(focus) {
  const id = chosen || newest;
  $('trace').hidden = !id;
  if (!id) return;
  let trace = null;
  try {
    trace = await api(`traces/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
  $('trace-title').textContent = `Trace ${trace?.id ?? id}`;
  $('no-trace').hidden = trace !== null;
  $('trace-body').hidden = trace === null;
  if (focus) $('trace-title').focus();
  if (!trace) return;
  // What is not one of the sixteen steps (a bind, a request for userinfo) has no short form.
  const every = $('all').checked || !trace.lines.some((line) => line.step);
  const lines = trace.lines.filter((line) => every || (line.step && !line.echo));
  const key = `${trace.id} ${every}`;
  const seqs = lines.map((line) => line.seq);
  // Only what is new is drawn, so that what somebody has opened or selected stays.
  const grown = key === drawn.key && drawn.seqs.every((seq, index) => seq === seqs[index]);
  const fresh = lines.slice(grown ? drawn.seqs.length : 0).map(drawLine);
  if (grown) $('lines').append(...fresh); else $('lines').replaceChildren(...fresh);
  drawn = { key, seqs };
}

async function follow() {
  let version = 0;
  for (;;) {
    try {
      const state = await api(`state?after=${version}&wait=25`);
      if (version === 0) $('try').open = !state.traces.some((trace) => trace.reached);
      version = state.version;
      $('clock').textContent = `${state.clock.kind} clock, ${state.clock.now.slice(0, 19).replace('T', ' ')}`;
      notice('');
      showPrompts(state.prompts);
      showTraces(state.traces);
      await showTrace(false);
    } catch {
      notice('midsim does not answer; trying again every second.');
      version = 0;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

window.addEventListener('hashchange', () => {
  chosen = location.hash.slice(1);
  showTrace(true).catch((error) => notice(error.message));
});
$('all').addEventListener('change', () => showTrace(false).catch((error) => notice(error.message)));
$('copy').addEventListener('click', async () => {
  await navigator.clipboard.writeText($('curl').textContent).then(
    () => { $('copied').textContent = 'Copied.'; },
    () => { $('copied').textContent = 'The browser does not allow it; select the text.'; },
  );
});
$('take').addEventListener('submit', (event) => {
  event.preventDefault();
  hold($('number').value.trim());
});
api('info').then((info) => { $('curl').textContent = info.curl; }, () => {});
follow();
