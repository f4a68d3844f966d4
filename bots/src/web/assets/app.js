// What the page can do beyond being read: new digests appear, and commands are answered in place.
(() => {
  "use strict";
  const posts = document.getElementById("posts");
  const form = document.querySelector("form.ask");
  if (!posts || !form) return;
  const answers = document.getElementById("answers");
  const live = document.getElementById("live");
  const status = document.getElementById("status");
  const jump = document.getElementById("jump");
  const input = form.elements.text;

  let after = posts.dataset.after;
  let jumpTo = null;

  const known = (key) => [...posts.querySelectorAll("[data-key]")].find((post) => post.dataset.key === key);

  // What it says changes, when it was said does not; who does not see it has nothing to be told.
  const edit = (post) => {
    const fresh = document.createElement("template");
    fresh.innerHTML = post.html;
    known(post.key)?.querySelector(".message")?.replaceWith(fresh.content.querySelector(".message"));
  };

  const show = (post) => {
    if (post.edited) return edit(post);
    after = post.key;
    if (known(post.key)) return;
    document.getElementById("empty")?.remove();
    posts.insertAdjacentHTML("beforeend", post.html);
    jumpTo = posts.lastElementChild;
    jumpTo.classList.add("fresh");
    status.textContent = `${posts.dataset.new}: ${post.title}`;
    const box = jumpTo.getBoundingClientRect();
    jump.hidden = box.top < window.innerHeight - 160 && box.bottom > 0;
  };

  jump.addEventListener("click", (event) => {
    event.preventDefault();
    jump.hidden = true;
    jumpTo?.scrollIntoView({ block: "start" });
  });

  const mark = (on) => {
    live.hidden = false;
    live.classList.toggle("on", on);
    live.textContent = on ? live.dataset.on : live.dataset.off;
  };

  const listen = () => {
    const events = new EventSource(`${posts.dataset.events}?after=${encodeURIComponent(after)}`);
    events.onopen = () => mark(true);
    events.onmessage = (event) => show(JSON.parse(event.data));
    events.onerror = () => {
      mark(false);
      // The browser comes back by itself after a broken connection, but not after a refusal.
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    };
    window.addEventListener("pagehide", () => events.close(), { once: true });
  };
  listen();
  // A page that comes back from the history is as it was left, and its stream was closed.
  window.addEventListener("pageshow", (event) => event.persisted && listen());

  const complain = () => {
    const p = document.createElement("p");
    p.className = "complaint";
    p.textContent = form.dataset.failed;
    return p;
  };

  // The answer to what was typed or pressed, as an element; nothing when there is nothing to say.
  const send = async (action, body) => {
    const headers = { "paperwire-fragment": "1" };
    const response = await fetch(action, { method: "POST", headers, body: new URLSearchParams(body) });
    if (response.status === 204) return null;
    const html = await response.text();
    // Anything but an answer (the channel is gone, the program stops) is a whole page.
    if (!html.startsWith("<article")) throw new Error(response.statusText);
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    return fresh.content.firstElementChild;
  };

  // One line beside what was pressed, in the place of the one before.
  const note = (pressed, ...content) => {
    let line = pressed.nextElementSibling;
    if (!line?.matches(".note")) {
      line = document.createElement("div");
      line.className = "note";
      pressed.after(line);
    }
    line.replaceChildren(...content);
    status.textContent = line.textContent;
  };

  const place = (answer, pressed) => {
    const before = pressed.closest(".answer");
    if (answer.dataset.manner === "notice") {
      note(pressed, ...answer.querySelector(".message").childNodes);
    } else if (answer.dataset.manner === "replace" && before) {
      const question = before.querySelector(".question");
      if (question) answer.prepend(question);
      before.replaceWith(answer);
      answer.scrollIntoView({ block: "nearest" });
      // Whoever presses by keyboard goes on from here.
      answer.querySelector(".press button")?.focus({ preventScroll: true });
    } else {
      answers.append(answer);
      answer.scrollIntoView({ block: "start" });
    }
  };

  document.addEventListener("submit", async (event) => {
    const pressed = event.target.closest("form.press");
    if (!pressed) return;
    event.preventDefault();
    if (pressed.hasAttribute("aria-busy")) return;
    pressed.setAttribute("aria-busy", "true");
    try {
      const body = new FormData(pressed);
      body.set("data", event.submitter.value);
      const answer = await send(pressed.action, body);
      if (answer) place(answer, pressed);
    } catch {
      note(pressed, complain());
    } finally {
      pressed.removeAttribute("aria-busy");
    }
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || form.hasAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    try {
      answers.append(await send(form.action, { text }));
      input.value = "";
    } catch {
      answers.append(complain());
    } finally {
      form.removeAttribute("aria-busy");
    }
    answers.lastElementChild.scrollIntoView({ block: "start" });
    input.focus({ preventScroll: true });
  });
})();
