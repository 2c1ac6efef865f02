import sys, time, os
from pathlib import Path
import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QApplication, QLabel
from tests.app.test_real_engine import real, idle, finished, picture, PATIENCE_MS, start_demo, Pulse
from tests.app.conftest import *
def test_shots(real, qtbot, tmp_path):
    out = Path('/tmp/n6/shots'); out.mkdir(exist_ok=True)
    from engine.core.requests import MaskRequest
    from engine import api
    t=time.perf_counter()
    pulse=Pulse(); pulse.start()
    real.files.open_sample('porcine_cine') if hasattr(real.files,'open_sample') else None
    panel=real.panels["methods"]
    qtbot.waitUntil(lambda: all(r.macs is not None for r in panel.model.rows() if r.trainable), timeout=PATIENCE_MS)
    print('all macs after', time.perf_counter()-t); pulse.stop()
    print('gaps', sorted(pulse.own_ms)[-8:])
    start_demo(real)
    qtbot.waitUntil(lambda: real.session.current is not None and len(real.session.current.results)>0, timeout=PATIENCE_MS)
    real.reconstruct.cancel()
    qtbot.waitUntil(idle(real), timeout=PATIENCE_MS)
    panel.select('jotlasnet'); 
    qtbot.waitUntil(lambda: panel.findChild(QLabel,'methods.memory').text()!='', timeout=20000)
    picture(real, out/'b.png')
    real.reconstruct.methods_dialog(); qtbot.wait(300)
    d=real.findChild(__import__('app.dialogs.methods_table',fromlist=['x']).MethodsTableDialog)
    d.grab().save(str(out/'m.png')); d.reject()
    real.set_theme('light'); qtbot.wait(200)
    real.reconstruct.methods_dialog(); qtbot.wait(300)
    d=[x for x in real.findChildren(__import__('app.dialogs.methods_table',fromlist=['x']).MethodsTableDialog) if x.isVisible()][0]
    d.grab().save(str(out/'l.png')); d.reject()
    picture(real, out/'bl.png')
