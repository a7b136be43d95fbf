"""What the audit tells, in words: each audited method and event as an operator would call it."""

from __future__ import annotations

from typing import Final

from app.model.text import Text

WORDS: Final[dict[str, Text]] = {
    "station.apply": Text("Apply the configuration", "应用配置"),
    "station.export": Text("Export history", "导出历史"),
    "station.started": Text("Station started", "站点启动"),
    "station.stopped": Text("Station stopped", "站点停止"),
    "clock.jumped": Text("Clock was set", "系统时钟被调整"),
    "access.sign_in": Text("Sign in", "登录"),
    "access.sign_out": Text("Sign out", "退出登录"),
    "access.lock": Text("Lock", "锁定"),
    "access.confirm": Text("Confirm as second person", "第二人确认"),
    "access.change_password": Text("Change own password", "修改本人密码"),
    "alarms.acknowledge": Text("Acknowledge alarms", "确认告警"),
    "alarms.export_rows": Text("Export the alarm journal", "导出告警日志"),
    "control.export_ledger": Text("Export the ledger", "导出命令台账"),
    "control.switch": Text("Start or stop by a strategy", "策略启停"),
    "control.request_many": Text("Set several setpoints", "批量设定"),
    "control.order": Text("Order of a dispatch centre", "调度命令"),
    "control.setpoint": Text("Set a device", "设定设备"),
    "control.digest": Text("Digest of what was set", "设定值摘要"),
    "control.request": Text("Set by hand", "手动设定"),
    "control.command": Text("Command", "遥控"),
    "control.set_mode": Text("Change a mode", "切换模式"),
    "control.tag": Text("Hang a tag", "挂牌"),
    "control.untag": Text("Take a tag away", "摘牌"),
    "control.reset_trip": Text("Reset a trip", "保护复归"),
    "control.stop_all": Text("Emergency stop", "急停"),
    "control.release_stop": Text("Release the emergency stop", "解除急停"),
    "control.run_strategy": Text("Run a strategy", "投退策略"),
    "strategies.change": Text("Change a parameter", "修改策略参数"),
    "strategies.add": Text("Add a strategy", "新增策略"),
    "strategies.remove": Text("Remove a strategy", "删除策略"),
    "strategies.draw_plan": Text("Change a plan", "修改计划"),
    "events.export_rows": Text("Export the event journal", "导出事件日志"),
    "commissioning.save": Text("Save the station's files", "保存站点文件"),
    "commissioning.try_": Text("Try a connection", "测试连接"),
    "accounts.name_administrator": Text("Name the first administrator", "设立首位管理员"),
    "accounts.add": Text("Add a user", "添加用户"),
    "accounts.reset": Text("Reset a password", "重置密码"),
    "accounts.set_disabled": Text("Disable or enable a user", "停用或启用用户"),
    "accounts.set_role": Text("Give another role", "更换角色"),
    "accounts.copy_role": Text("Copy a role", "复制角色"),
    "accounts.change_role": Text("Change a role", "修改角色"),
    "accounts.remove_role": Text("Remove a role", "删除角色"),
    "accounts.end_session": Text("End a session", "结束会话"),
    "audit.export": Text("Export the audit", "导出审计"),
    "audit.begun_anew": Text("Audit begun anew", "审计重新开始"),
    "secrets.put": Text("Set a secret", "设置密钥"),
    "secrets.forget": Text("Forget a secret", "删除密钥"),
    "versions.go_back": Text("Go back to a version", "恢复某一版本"),
}
"""By `what`."""


def word(what: str, language: str) -> str:
    """The words; a method that none are known of, as one that was only denied, goes by its name."""
    return WORDS[what].in_(language) if what in WORDS else what


def meant(typed: str) -> list[str]:
    """What a person may mean who searches for these words, in either language."""
    sought = typed.casefold()
    return [what for what, text in WORDS.items() if sought in text.en.casefold() or sought in text.zh]
