"""The list of a collection's documents: those on their way, as far as they are, and those that the server holds."""
import streamlit as st

import lastro
import texts
from shown import literal
from uploads import Upload

state = st.session_state
# Rows at most; those that need attention come first.
MOST = 100
# Seconds between two looks while something is on its way.
LOOK = 1


def t(key, **values):
    return texts.text(state.language, key, **values)


def take_files(key):
    """Sends what was just put into the uploader, and has it replaced by an empty one. Streamlit calls this a second time for the same
    files when the run that followed the first call was cut short."""
    files = [file for file in state[key] or [] if file.file_id not in state.taken]
    if not files:
        return
    state.taken.update(file.file_id for file in files)
    state.uploads = [upload for upload in state.uploads if upload.busy or upload.state == "failed"]
    state.uploads += [Upload(state.collection, file) for file in files]
    state.uploaders += 1


def send_again():
    for upload in state.uploads:
        if upload.state == "failed":
            upload.start()


def documents_panel(collection):
    """Draws the list; returns what draws it anew within the same run."""
    if collection is None:
        return lambda: None
    busy = any(upload.busy for upload in state.uploads) or "in_progress" in [d["status"] for d in listed(collection)]
    return st.fragment(panel, run_every=LOOK if busy else None)(collection, busy)


def listed(collection):
    """The server's documents; the last that were known while it cannot be asked, which the page says elsewhere."""
    known = state.setdefault("documents_of", {})
    try:
        known[collection] = lastro.documents(collection)
    except lastro.Refused:
        pass
    return known.get(collection, [])


def panel(collection, was_busy):
    documents = listed(collection)  # before the place is emptied, or the list would flicker
    with st.container(key="documents"):
        place = st.empty()
    busy = draw(place, collection, documents)
    failed = [upload for upload in state.uploads if upload.state == "failed" and upload.collection == collection]
    if failed:
        st.button(t("send_again"), key="send_again", icon=":material/refresh:", on_click=send_again)
    if was_busy and not busy:
        st.rerun()
    return lambda: draw(place, collection, listed(collection))


def draw(place, collection, documents):
    """Draws the rows; says whether something is still on its way."""
    documents = sorted(documents, key=lambda d: (d["status"] == "completed", -d["created_at"], d["filename"]))
    uploads = [upload for upload in state.uploads if upload.collection == collection]
    with place.container(gap="small"):
        for upload in uploads:
            draw_upload(upload, again(upload, uploads), {document["id"] for document in documents})
        for document in documents[:MOST]:
            draw_document(document)
        if len(documents) > MOST:
            st.caption(t("more_documents", n=len(documents) - MOST))
        if not uploads and not documents:
            st.caption(t("no_documents"))
    return any(upload.busy for upload in uploads) or any(d["status"] == "in_progress" for d in documents)


def row(icon, name, *said):
    st.markdown(f"{icon} **{literal(name)}**  \n:small[{' · '.join(part for part in said if part)}]")


def again(upload, uploads):
    """Whether the same bytes came twice: lastro had them already, or they are in two of the files that were sent together."""
    same = [other for other in uploads if other.document and upload.document and other.document["id"] == upload.document["id"]]
    first = next((other for other in same if other.name == upload.document["filename"]), same[0] if same else None)
    return upload.state == "known" or upload.state == "done" and upload is not first


def draw_upload(upload, again, listed):
    if upload.state == "waiting":
        row(":gray[:material/schedule:]", upload.name, t("waiting"))
    elif upload.state == "sending":
        percent = int(100 * upload.share)
        row(":blue[:material/upload:]", upload.name, t("storing") if percent == 100 else t("sending", percent=percent))
        st.progress(upload.share)
    elif upload.state == "failed":
        problem = upload.problem
        said = texts.reason(state.language, problem.code, problem.message) if problem.kind == "refused" else t(problem.kind)
        row(":red[:material/error:]", upload.name, literal(t("not_sent", reason=said)))
    elif again:
        name = upload.document["filename"]
        row(":green[:material/done_all:]", upload.name, t("known") if name == upload.name else t("known_as", name=literal(name)))
    elif upload.document["id"] not in listed:
        row(":blue[:material/hourglass_top:]", upload.name, t("reading"))


def draw_document(document):
    pages, chunks = document["pages"], document["chunks"]
    parts = " · ".join(texts.count(state.language, key, n) for key, n in (("page", pages), ("chunk", chunks)) if n)
    if document["status"] == "completed":
        row(":green[:material/check_circle:]", document["filename"], parts)
    elif document["status"] == "failed":
        error = document["last_error"] or {}
        reason = texts.reason(state.language, error.get("code"), error.get("message") or "")
        row(":red[:material/error:]", document["filename"], literal(reason))
    elif document["status"] == "cancelled":
        row(":gray[:material/cancel:]", document["filename"], t("cancelled"))
    elif chunks:
        row(":blue[:material/hourglass_bottom:]", document["filename"], t("embedding", parts=parts))
        if "embedded_chunks" in document:  # absent until it is known whether there is a model
            st.progress(min(document["embedded_chunks"] / chunks, 1.0))
    else:
        row(":blue[:material/hourglass_top:]", document["filename"], t("reading"))
