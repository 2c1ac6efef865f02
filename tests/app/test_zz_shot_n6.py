import sys, time, os
from pathlib import Path
import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QApplication, QLabel
from tests.app.test_real_engine import real, idle, finished, picture, PATIENCE_MS, start_demo, Pulse
from tests.app.conftest import *
def test_shots(real, qtbot, tmp_path):
    out = Path('/tmp/n6/shots'); out.mkdir(exist_ok=True)
    t=time.perf_counter()
    pulse=Pulse(); pulse.start()
    start_demo(real)
    qtbot.waitUntil(lambda: real.session.current is not None and len(real.session.current.results)>0 and idle(real)(), timeout=PATIENCE_MS)
    panel=real.panels["methods"]
    picture(real, out/'a.png')
    qtbot.waitUntil(lambda: all(r.macs is not None for r in panel.model.rows() if r.trainable), timeout=PATIENCE_MS)
    print('all macs after', time.perf_counter()-t); pulse.stop()
    print('gaps', sorted(pulse.own_ms)[-8:])
    panel.select('jotlasnet'); qtbot.wait(2500)
    picture(real, out/'b.png')
    ix=panel.model.index([r.name for r in panel.model.rows()].index('crunet_mr'),0)
    panel.model.setData(ix, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    qtbot.wait(600)
    d=real.findChild(QWidget if 0 else __import__('app.dialogs.no_weights',fromlist=['x']).NoWeightsDialog)
    d.grab().save(str(out/'d.png')); d.reject()
    panel._filter.setText('no weights'); qtbot.wait(200)
    picture(real, out/'c.png')
    panel._filter.setText(''); panel.table.sortByColumn(2, Qt.SortOrder.DescendingOrder); qtbot.wait(200)
    t=time.perf_counter()
    for _ in range(20): panel.table.viewport().repaint()
    print('repaint ms', (time.perf_counter()-t)/20*1e3)
    t=time.perf_counter()
    for _ in range(20): panel.model.set_status('jotlasnet', str(_)); QApplication.processEvents()
    print('status ms', (time.perf_counter()-t)/20*1e3)
    panel.table.grab().save(str(out/'t.png'))
    print(panel.model.row_of('jotlasnet'))
